"""Whether a message is nothing but thanks, in any of the languages: after a ticket is closed, it asks for no answer."""

from __future__ import annotations

import re
from typing import Final

from aftersail.core.triage.folding import fold

_LONGEST: Final = 200

_PHRASES: Final = """
thanks; thank you; thank you very much; thank you so much; thanks a lot; many thanks; thx; cheers; much appreciated
ok; okay; great; perfect; all good; got it; have a nice day; best regards; kind regards; regards
danke; danke schön; dankeschön; vielen dank; besten dank; herzlichen dank; danke sehr; super; alles klar
mit freundlichen grüßen; viele grüße; liebe grüße; schönen tag
merci; merci beaucoup; merci bien; un grand merci; parfait; cordialement; bonne journée
gracias; muchas gracias; mil gracias; perfecto; saludos; un saludo
grazie; grazie mille; molte grazie; perfetto; saluti; cordiali saluti
obrigado; obrigada; muito obrigado; muito obrigada; perfeito
bedankt; dank je; dank u; dank je wel; dank u wel; hartelijk dank; met vriendelijke groet
dziękuję; dziękuję bardzo; bardzo dziękuję; dzięki; wielkie dzięki; pozdrawiam
tack; tack så mycket; stort tack; tusen tack
tak; mange tak; tusind tak
děkuji; děkuji moc; moc děkuji; díky
ありがとう; ありがとうございます; ありがとうございました; どうも; 感謝します
谢谢; 谢谢你; 谢谢您; 多谢; 非常感谢; 感谢; 好的; 謝謝; 謝謝你; 謝謝您; 多謝; 非常感謝; 感謝
감사합니다; 고맙습니다; 고마워요; 감사해요
شكرا; شكرا لك; شكرا جزيلا
teşekkürler; teşekkür ederim; çok teşekkürler; çok teşekkür ederim; sağ olun
спасибо; большое спасибо; спасибо большое; благодарю
"""


def _folded(text: str) -> str:
    return fold(text, "").replace(" ", "")


_WORDS: Final = sorted({_folded(phrase) for phrase in re.split(r"[;\n]", _PHRASES)} - {""}, key=len, reverse=True)
_NOTHING_ELSE: Final = re.compile(f"(?>{'|'.join(map(re.escape, _WORDS))})+")


def is_courtesy(text: str) -> bool:
    """Tell whether a message says nothing but thanks, agreement and a greeting at its end.

    A name, a question mark or any other word makes it more than that: an answer too many costs less than one too few.
    """
    return len(text) <= _LONGEST and _NOTHING_ELSE.fullmatch(_folded(text)) is not None
