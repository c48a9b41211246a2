"""What the buyer wrote now, out of what mail programs make of it; and HTML that harms nobody."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aftersail.core.intake.text import clean_html, cut_quotes, own_words

SHOP = "Harbour Shop <help@harbour.example>"
QUOTE = "> Dear Ada,\n> we have received your message.\n>> It is broken\n>\n> Harbour Shop"
WORDS = "It arrived broken.\n\nPlease help,\nAda"

# How Gmail, Apple Mail and Thunderbird introduce the mail they quote.
ATTRIBUTIONS = {
    "en": f"On Sun, May 3, 2026 at 10:00 AM {SHOP} wrote:",
    "en, Apple": f"On 3 May 2026, at 10:00, {SHOP} wrote:",
    "en, Thunderbird": "On 5/3/26 10:00, Harbour Shop wrote:",
    "de": f"Am So., 3. Mai 2026 um 10:00 Uhr schrieb {SHOP}:",
    "de, Thunderbird": "Am 03.05.26 um 10:00 schrieb Harbour Shop:",
    "fr": f"Le dim. 3 mai 2026 à 10:00, {SHOP} a écrit :",
    "fr, Thunderbird": "Le 03/05/2026 à 10:00, Harbour Shop a écrit\xa0:",
    "es": f"El dom, 3 may 2026 a las 10:00, {SHOP} escribió:",
    "it": f"Il giorno dom 3 mag 2026 alle ore 10:00 {SHOP} ha scritto:",
    "pt": f"{SHOP} escreveu (domingo, 3/05/2026 à(s) 10:00):",
    "nl": f"Op zo 3 mei 2026 om 10:00 schreef {SHOP}:",
    "pl": f"niedz., 3 maj 2026 o 10:00 {SHOP} napisał(a):",
    "sv": f"Den sön 3 maj 2026 kl 10:00 skrev {SHOP}:",
    "da": f"Den søn. 3. maj 2026 kl. 10.00 skrev {SHOP}:",
    "cs": f"ne 3. 5. 2026 v 10:00 odesílatel {SHOP} napsal:",
    "ja": f"2026年5月3日(日) 10:00 {SHOP}:",
    "zh": f"{SHOP} 于2026年5月3日周日 10:00写道\uff1a",
    "ko": f"2026년 5월 3일 (일) 오전 10:00, {SHOP}님이 작성:",
    "ar": f"في الأحد، 3 مايو 2026 في 10:00 ص تمت كتابة ما يلي بواسطة \u202a{SHOP}\u202c:\u200f",
    "tr": f"{SHOP}, 3 May 2026 Paz, 10:00 tarihinde şunu yazdı:",  # noqa: RUF001 - the letter is Turkish
    "ru": f"вс, 3 мая 2026 г. в 10:00, {SHOP}:",  # noqa: RUF001 - the letter is Russian
}
# The words Outlook puts before sender, date, recipient and subject.
HEADERS = {
    "en": ("From", "Sent", "To", "Subject"),
    "de": ("Von", "Gesendet", "An", "Betreff"),
    "fr": ("De ", "Envoyé ", "À ", "Objet "),
    "es": ("De", "Enviado", "Para", "Asunto"),
    "it": ("Da", "Inviato", "A", "Oggetto"),
    "pt": ("De", "Enviada em", "Para", "Assunto"),
    "nl": ("Van", "Verzonden", "Aan", "Onderwerp"),
    "pl": ("Od", "Wysłano", "Do", "Temat"),
    "sv": ("Från", "Skickat", "Till", "Ämne"),
    "da": ("Fra", "Sendt", "Til", "Emne"),
    "cs": ("Od", "Odesláno", "Komu", "Předmět"),
    "ja": ("差出人", "送信日時", "宛先", "件名"),
    "zh": ("发件人", "发送时间", "收件人", "主题"),
    "ko": ("보낸 사람", "보낸 날짜", "받는 사람", "제목"),
    "ar": ("من", "تم الإرسال", "إلى", "الموضوع"),
    "tr": ("Kimden", "Gönderildi", "Kime", "Konu"),
    "ru": ("От", "Отправлено", "Кому", "Тема"),
}


def outlook(language: str, colon: str = ":") -> str:
    sender, sent, to, subject = HEADERS[language]
    values = (SHOP, "3 May 2026 10:00", "Ada", "Re#1001")
    return "\n".join(f"{name}{colon} {value}" for name, value in zip((sender, sent, to, subject), values, strict=True))


@pytest.mark.parametrize("language", ATTRIBUTIONS)
def test_a_quote_goes_with_the_line_that_introduces_it(language: str) -> None:
    line = ATTRIBUTIONS[language]
    assert cut_quotes(f"{WORDS}\n\n{line}\n\n{QUOTE}\n") == WORDS
    assert cut_quotes(f"{WORDS}\n\n{line}\n{QUOTE}".replace("\n", "\r\n")) == WORDS


@pytest.mark.parametrize("language", ATTRIBUTIONS)
def test_a_line_that_the_mail_program_broke_goes_too(language: str) -> None:
    line = ATTRIBUTIONS[language]
    middle = line.find(" ", len(line) // 3)
    broken = f"{line[:middle]}\n{line[middle + 1 :]}"
    assert cut_quotes(f"{WORDS}\n\n{broken}\n\n{QUOTE}") == WORDS


@pytest.mark.parametrize("language", [name for name, line in ATTRIBUTIONS.items() if "@" in line])
def test_a_quote_without_marks_goes_where_sender_and_time_introduce_it(language: str) -> None:
    assert cut_quotes(f"{WORDS}\n\n{ATTRIBUTIONS[language]}\n\n  Dear Ada,\n  we have received it.") == WORDS


@pytest.mark.parametrize("language", HEADERS)
@pytest.mark.parametrize("rule", ["", "-----Original Message-----\n", "________________________________\n"])
def test_outlooks_header_goes_with_all_below_it(language: str, rule: str) -> None:
    for colon in (":", "\uff1a"):
        assert cut_quotes(f"{WORDS}\n\n{rule}{outlook(language, colon)}\n\nDear Ada,\nwe have it.\n") == WORDS


def test_outlooks_bold_labels_are_labels() -> None:
    header = f"*From:* {SHOP}\n*Sent:* 3 May 2026\n*To:* Ada"
    assert cut_quotes(f"{WORDS}\n{header}\n\nDear Ada") == WORDS


def test_answers_between_the_quoted_lines_are_kept() -> None:
    attribution = ATTRIBUTIONS["en"]
    text = (
        f"Hi,\n\n{attribution}\n\n> Which order is it?\nIt is 1001.\n\n> What is broken?\nThe lid, see 2:\n> Regards\n"
    )
    assert cut_quotes(text) == "Hi,\n\nIt is 1001.\n\nThe lid, see 2:"


def test_an_answer_below_the_quote_is_kept() -> None:
    assert cut_quotes(f"{ATTRIBUTIONS['de']}\n{QUOTE}\n\n{WORDS}") == WORDS


@pytest.mark.parametrize(
    "text",
    [
        WORDS,
        "The address is:\nAda Example\nHarbour Road 5\nMail: ada@buyer.example",
        "Order: 1001\nColour: red\nSize: 42",
        "Meet me at 10:00, 3/4:\nthe lid is broken",
        "Please write to ada@buyer.example, order 1001:\nthe lid is broken",
        "It costs < 5 EUR and > 3 EUR",
        "----\nIt is broken",
    ],
)
def test_what_is_no_quote_stays(text: str) -> None:
    assert cut_quotes(text) == text


@pytest.mark.parametrize("text", [QUOTE, f"{ATTRIBUTIONS['en']}\n{QUOTE}", outlook("en"), "  \n", "", ">"])
def test_a_mail_of_nothing_but_quotes_is_kept_whole(text: str) -> None:
    assert cut_quotes(text) == text.strip()


HTML_QUOTES = {
    "Gmail": '<div dir="ltr">{words}</div><br><div class="gmail_quote gmail_quote_container"><div dir="ltr"'
    ' class="gmail_attr">On Sun, May 3, 2026 at 10:00 AM Shop &lt;<a href="mailto:h@s.example">h@s.example</a>&gt;'
    ' wrote:<br></div><blockquote class="gmail_quote" style="margin:0">{old}</blockquote></div>',
    "Outlook": '<div class="WordSection1"><p class="MsoNormal">{words}</p><div><div style="border:none;'
    'border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"><p><b>From:</b> Shop</p></div></div>{old}</div>',
    "Outlook on the web": '<div>{words}</div><div id="appendonsend"></div><hr style="width:98%"><div id="divRplyFwdMsg"'
    ' dir="ltr"><b>From:</b> Shop</div><div>{old}</div>',
    "Apple Mail": '<html><body dir="auto">{words}<br id="lineBreakAtBeginningOfSignature"><div dir="ltr"></div>'
    '<div dir="ltr"><br><blockquote type="cite">On 3 May 2026, at 10:00, Shop wrote:<br><br></blockquote></div>'
    '<blockquote type="cite"><div dir="ltr">{old}</div></blockquote></body></html>',
    "Thunderbird": '<p>{words}</p><div class="moz-cite-prefix">On 5/3/26 10:00, Shop wrote:<br></div>'
    '<blockquote type="cite" cite="mid:a@s.example">{old}</blockquote>',
    "Yahoo": '<div>{words}</div><div id="yahoo_quoted_1" class="yahoo_quoted"><div>On Sunday, May 3, 2026, 10:00, Shop'
    " wrote:</div><div>{old}</div></div>",
    "Proton": '<div>{words}</div><div class="protonmail_quote">On Sunday Shop wrote:<br><blockquote type="cite">{old}'
    "</blockquote></div>",
}


@pytest.mark.parametrize("program", HTML_QUOTES)
def test_html_quotes_go_by_the_mail_programs_own_marks(program: str) -> None:
    html = HTML_QUOTES[program].format(words="It arrived broken.<br>Ada", old="<p>Dear Ada, we have received it.</p>")
    assert own_words("", html) == "It arrived broken.\nAda"
    assert own_words("It arrived broken. Ada On Sun Shop wrote: Dear Ada", html) == "It arrived broken.\nAda"


def test_plain_text_is_read_where_html_marks_nothing() -> None:
    assert own_words(f"{WORDS}\n\n{QUOTE}", "<p>something else</p>") == WORDS
    assert own_words(" \n", "<p>Broken</p>") == "Broken"
    assert own_words("", None) == ""


HARMFUL = [
    "<script>alert(1)</script>",
    "<style>p{background:url(//evil.example)}</style>",
    '<img src="https://evil.example/pixel.gif">',
    '<svg><a xlink:href="javascript:alert(1)">x</a></svg>',
    '<p onclick="alert(1)" style="background:url(//evil.example)">x</p>',
    '<form action="https://evil.example"><input name="password"><button>Go</button></form>',
    '<iframe src="https://evil.example"></iframe>',
    '<object data="x"></object><embed src="x">',
    '<a href="javascript:alert(1)">x</a>',
    '<a href="data:text/html,<script>alert(1)</script>">x</a>',
    '<map><area href="https://evil.example"></map>',
    '<video src="https://evil.example"></video><audio src="x"></audio>',
    '<link rel="stylesheet" href="//evil.example"><base href="//evil.example">',
    '<meta http-equiv="refresh" content="0;url=//evil.example">',
    '<math><mtext></table><mglyph><style><img src=x onerror="alert(1)">',
]
FORBIDDEN = (
    "<script",
    "<style",
    "<img",
    "<svg",
    "onclick",
    "onerror",
    "style=",
    "<form",
    "<input",
    "<button",
    "<iframe",
)
FORBIDDEN += (
    "<object",
    "<embed",
    "javascript:",
    "data:",
    "<map",
    "<area",
    "<video",
    "<audio",
    "<link",
    "<meta",
    "<base",
)


@pytest.mark.parametrize("html", HARMFUL)
def test_cleaned_html_does_nothing(html: str) -> None:
    cleaned = clean_html(f"<p>kept</p>{html}")
    assert cleaned.startswith("<p>kept</p>")
    assert [mark for mark in FORBIDDEN if mark in cleaned.lower()] == []


def test_a_link_is_kept_and_tells_nothing_of_the_desk() -> None:
    assert clean_html('<a href="https://x.example/a" target="_top">x</a>') == (
        '<a href="https://x.example/a" rel="noopener noreferrer nofollow">x</a>'
    )


LINES = st.sampled_from(
    [*ATTRIBUTIONS.values(), *HEADERS["en"], *QUOTE.split("\n"), outlook("de"), "", "It is broken", "a@b.example 1:"]
)
TEXTS = st.one_of(st.text(), st.lists(st.one_of(LINES, st.text(max_size=40)), max_size=30).map("\n".join))


@given(TEXTS)
@example("a@" * 50)
def test_cutting_takes_away_and_adds_nothing(text: str) -> None:
    own = cut_quotes(text)
    assert len(own) <= len(text)
    known = {line.strip() for line in text.replace("\r\n", "\n").split("\n")}
    assert {line.strip() for line in own.split("\n")} <= known | {""}
    assert bool(own.strip()) == bool(text.strip())
    assert cut_quotes(f"{own}\n") == cut_quotes(own)


@given(TEXTS, st.one_of(st.none(), st.text(), st.sampled_from(sorted(HTML_QUOTES.values()))))
def test_no_text_and_no_html_is_too_much(text: str, html: str | None) -> None:
    own_words(text, html)
    if html:
        cleaned = clean_html(html).lower()
        assert "<script" not in cleaned
        assert "<img" not in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "a" * 300_000 + ":\n> x",
        "a@" * 150_000 + ":\n> x",
        "\n".join(["A: b"] * 50_000),
        "\n".join(["a <b@c> 1:"] * 30_000),
        "From: " + "a" * 300_000 + "\nSent: x\nTo: y",
        "\n" * 300_000 + "> x",
        " " * 300_000 + "\n> x",
        ("> x\n" + "y\n") * 30_000,
        "9:00 " * 30_000 + ":\n> x",
        "-" * 300_000 + "\n> x",
    ],
    ids=range(10),
)
@pytest.mark.timeout(20)
def test_a_long_mail_takes_no_longer_than_its_length(text: str) -> None:
    assert cut_quotes(text)
