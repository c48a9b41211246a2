"""The parts of a small pack that pays."""

from __future__ import annotations

HEAD = """\
id: mine
version: 1
title: A test pack
effective_from: 2026-01-01
currency: USD
rates: {date: 2026-01-01, source: by hand, values: {EUR: 1.10, JPY: 0.0070}}
authority: {automation: "20.00 USD"}
"""

TEMPLATES = """\
templates:
  soothing:
    en: {subject: "Order {{ order_number }}", text: "Dear {{ buyer_name }}, {{ refund_amount }} is on its way."}
  hello:
    en: {subject: Hello, text: "Dear {{ buyer_name }}"}
"""

F27 = """\
rules:
  - id: small-defect
    priority: 100
    when:
      all: [claim.amount < 20, ticket.reason == "minor_defect"]
    then:
      - refund: {percent: 50}
      - reply: {template: soothing}
"""
