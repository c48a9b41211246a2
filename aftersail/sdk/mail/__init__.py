"""Mail for connectors: read any mail that lies in a mailbox, and write an answer that threads.

For the e-mail connector, and for every connector whose platform speaks by mail (`claim_email`). Needs the extra
`aftersail[mail]`; what is slow to import is imported at the first mail.
"""

from aftersail.core.contract.markup import html_to_text
from aftersail.sdk.mail.authenticity import authenticity_of
from aftersail.sdk.mail.build import build_mail, message_id_for, trim_references
from aftersail.sdk.mail.parse import ATTACHMENT_CAP, ParsedMail, parse_mail

__all__ = [
    "ATTACHMENT_CAP",
    "ParsedMail",
    "authenticity_of",
    "build_mail",
    "html_to_text",
    "message_id_for",
    "parse_mail",
    "trim_references",
]
