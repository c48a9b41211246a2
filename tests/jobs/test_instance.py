from __future__ import annotations

import os
import subprocess
import sys

import pytest

from aftersail.core.jobs.instance import AlreadyRunningError, SingleInstance
from aftersail.core.store.engine import open_engine

HOLD = """
import sys, threading
from aftersail.core.jobs.instance import SingleInstance
from aftersail.core.store.engine import open_engine
SingleInstance(open_engine(sys.argv[1])).acquire()
print("held", flush=True)
threading.Event().wait()
"""


@pytest.fixture
def lite(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path}/desk.db")
    yield engine
    engine.dispose()


def test_a_second_daemon_is_refused_until_the_first_is_gone(lite):
    with (
        SingleInstance(lite),
        pytest.raises(AlreadyRunningError, match=rf"pid {os.getpid()}\).*desk\.db; stop it with: \w+.*{os.getpid()}"),
    ):
        SingleInstance(lite).acquire()
    with SingleInstance(lite):
        pass


def test_a_killed_daemon_leaves_nothing_behind(lite):
    command = [sys.executable, "-c", HOLD, str(lite.url)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(AlreadyRunningError) as refused:
            SingleInstance(lite).acquire()
        assert refused.value.pid == holder.pid
        holder.kill()
        holder.wait()
    with SingleInstance(lite):
        pass


def test_another_database_is_another_matter(lite, tmp_path):
    other = open_engine(f"sqlite:///{tmp_path}/other.db")
    with SingleInstance(lite), SingleInstance(other):
        pass


def test_two_spellings_of_one_path_are_one_database(lite, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    again = open_engine(f"sqlite:///{tmp_path}/link/desk.db")
    with SingleInstance(lite), pytest.raises(AlreadyRunningError):
        SingleInstance(again).acquire()


def test_on_postgresql_several_workers_are_welcome():
    engine = open_engine("postgresql://desk@localhost/desk")
    with SingleInstance(engine), SingleInstance(engine):
        pass
