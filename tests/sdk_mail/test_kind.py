from __future__ import annotations

import pytest

from aftersail.sdk import MessageKind


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: auto-replied",
        "Auto-Submitted: auto-generated; owner-email=a@b.example",
        "AUTO-SUBMITTED: Auto-Notified",
        "X-Auto-Response-Suppress: OOF, AutoReply",
        "Precedence: bulk",
        "Precedence: auto_reply",
        "Precedence: junk",
        "Return-Path: <>",
        "List-Unsubscribe: <https://list.example/out>",
        "List-Id: news <news.example>",
        "X-Autoreply: yes",
        "Subject: Automatic reply: your parcel",
        "Subject: Out of Office",
        "Subject: Abwesenheitsnotiz: Urlaub",
        "Subject: =?utf-8?b?6Ieq5YuV6L+U5L+h?=",
    ],
)
def test_machines_are_recognised(read, header):
    assert read(f"From: a@b.example\r\n{header}\r\n\r\nI am away").kind is MessageKind.AUTO_REPLY


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: no",
        "Auto-Submitted: no\r\nPrecedence: bulk",
        "Auto-Submitted: No (a person)",
        "X-Auto-Response-Suppress: None",
        "Precedence: normal",
        "Return-Path: <a@b.example>",
        "Subject: Out of office chairs?",
        "Subject: Re: Automatic reply",
        "From: postmaster@small-shop.example",
    ],
)
def test_people_are_people(read, header):
    assert read(f"From: a@b.example\r\n{header}\r\n\r\nhello").kind is MessageKind.MESSAGE


def report(action: str, status: str, original: str) -> str:
    return (
        "From: Mail Delivery System <MAILER-DAEMON@mx.example>\r\nTo: help@shop.example\r\nSubject: Undelivered\r\n"
        "Auto-Submitted: auto-replied\r\nMessage-ID: <dsn@mx.example>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="r"\r\n\r\n'
        "--r\r\nContent-Type: text/plain\r\n\r\nYour mail could not be delivered.\r\n"
        "--r\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
        f"Final-Recipient: rfc822; anna@buyer.example\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"--r\r\nContent-Type: {original}\r\n\r\nFrom: help@shop.example\r\nMessage-ID: <reply-7@shop.example>\r\n\r\n"
        "--r--\r\n"
    )


@pytest.mark.parametrize("original", ["message/rfc822", "text/rfc822-headers"])
def test_a_bounce_names_who_failed_and_threads_with_what_came_back(read, original):
    mail = read(report("failed", "5.1.1", original))
    assert mail.kind is MessageKind.BOUNCE
    assert mail.failed_recipients == ("anna@buyer.example",)
    assert mail.refs.in_reply_to == "<reply-7@shop.example>"


@pytest.mark.parametrize(("action", "status"), [("delayed", "4.4.1"), ("delivered", "2.0.0")])
def test_a_delay_and_a_success_are_no_bounce(read, action, status):
    mail = read(report(action, status, "message/rfc822"))
    assert (mail.kind, mail.failed_recipients) == (MessageKind.AUTO_REPLY, ())


def test_a_bounce_without_a_report_is_known_by_its_daemon(read):
    mail = read("From: Mailer-Daemon@mx.example\r\nSubject: failure notice\r\n\r\nSorry, no mailbox here by that name.")
    assert mail.kind is MessageKind.BOUNCE


def test_a_read_receipt_is_automatic(read):
    mail = read(
        "From: a@b.example\r\nContent-Type: multipart/report; report-type=disposition-notification; boundary=r\r\n\r\n"
        "--r\r\n\r\nread\r\n--r--\r\n"
    )
    assert mail.kind is MessageKind.AUTO_REPLY
