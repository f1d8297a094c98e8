"""A small sample in fourteen languages, and one model learned from it for all the tests of this folder."""

from pathlib import Path

import pytest

from tokenizer.export import sentencepiece_files
from tokenizer.sentencepieces import learn_sentencepiece

LINES = {
    "eng_Latn": [
        "The river was high this morning, so we took the old bridge.",
        "It's a long walk, but the view is worth it.",
        "Nobody in the village remembers who built the bridge, or when: 1872, 1890 or later?",
    ],
    "zho_Hans": [
        "今天早上河水很高，所以我们走了那座旧桥。",
        "路很远，可是风景很好。",
        "村里没有人记得这座桥是谁在什么时候建的。",
    ],
    "jpn_Jpan": [
        "今朝は川の水が高かったので、古い橋を渡りました。",
        "道は長いですが、景色はとてもきれいです。",
        "この橋をだれがいつ作ったのか、村の人はだれもおぼえていません。コーヒーを飲みながら話しました。",
    ],
    "kor_Hang": [
        "오늘 아침에는 강물이 높아서 우리는 오래된 다리로 건넜습니다.",
        "길은 멀지만 경치가 아주 좋습니다.",
        "이 다리를 누가 언제 만들었는지 마을 사람들은 아무도 기억하지 못합니다.",
    ],
    "tha_Thai": [
        "เช้านี้น้ำในแม่น้ำสูงมาก เราจึงเดินข้ามสะพานเก่า",
        "ทางไกลแต่วิวสวยมาก",
        "ไม่มีใครในหมู่บ้านจำได้ว่าใครสร้างสะพานนี้และสร้างเมื่อไร",
    ],
    "khm_Khmr": [
        "ព្រឹកនេះទឹកទន្លេឡើងខ្ពស់ ដូច្នេះយើងដើរឆ្លងស្ពានចាស់។",
        "ផ្លូវឆ្ងាយ ប៉ុន្តែទេសភាពស្អាតណាស់។",
        "គ្មាននរណាក្នុងភូមិចាំថាអ្នកណាសង់ស្ពាននេះទេ។",
    ],
    "arb_Arab": [
        "كان ماء النهر مرتفعا هذا الصباح، فعبرنا الجسر القديم.",
        "الطريق طويل لكن المنظر جميل جدا.",
        "لا يتذكر أحد في القرية من بنى هذا الجسر ولا متى بناه.",
    ],
    "heb_Hebr": [
        "הבוקר הנהר היה גבוה, ולכן חצינו את הגשר הישן.",
        "הדרך ארוכה, אבל הנוף יפה מאוד.",
        "איש בכפר אינו זוכר מי בנה את הגשר ומתי.",
    ],
    "hin_Deva": [
        "आज सुबह नदी का पानी ऊँचा था, इसलिए हम पुराने पुल से गए।",
        "रास्ता लंबा है, लेकिन नज़ारा बहुत सुंदर है।",
        "गाँव में किसी को याद नहीं कि यह पुल किसने और कब बनाया था।",
    ],
    "tam_Taml": [
        "இன்று காலை ஆற்றில் தண்ணீர் அதிகமாக இருந்தது, அதனால் பழைய பாலத்தில் சென்றோம்.",
        "பாதை நீளம், ஆனால் காட்சி மிக அழகு.",
        "இந்தப் பாலத்தை யார் எப்போது கட்டினார்கள் என்று ஊரில் யாருக்கும் நினைவில்லை.",
    ],
    "amh_Ethi": [
        "ዛሬ ጠዋት የወንዙ ውሃ ከፍ ብሎ ስለነበር በአሮጌው ድልድይ ሄድን።",
        "መንገዱ ረጅም ነው፣ ግን እይታው በጣም ያምራል።",
        "ይህን ድልድይ ማን መቼ እንደሠራው በመንደሩ ማንም አያስታውስም።",
    ],
    "kat_Geor": [
        "დღეს დილით მდინარე მაღალი იყო, ამიტომ ძველ ხიდზე გადავედით.",
        "გზა გრძელია, მაგრამ ხედი ძალიან ლამაზია.",
        "სოფელში არავის ახსოვს, ვინ ააშენა ეს ხიდი და როდის.",
    ],
    "rus_Cyrl": [
        "Сегодня утром река поднялась, и мы пошли через старый мост.",
        "Дорога длинная, зато вид очень красивый.",
        "Никто в деревне не помнит, кто и когда построил этот мост.",
    ],
    "tur_Latn": [
        "Bu sabah nehrin suyu yüksekti, bu yüzden eski köprüden geçtik.",
        "Yol uzun ama manzara çok güzel.",
        "Köyde hiç kimse bu köprüyü kimin ne zaman yaptığını hatırlamıyor.",
    ],
}
TEXTS = {language: "\n".join(lines) for language, lines in LINES.items()}


@pytest.fixture(scope="session")
def texts() -> dict[str, str]:
    """One text of three lines a language, translations of each other."""
    return TEXTS


@pytest.fixture(scope="session")
def sample() -> list[str]:
    """What the model learns from: every text, and its lines once more, with a run of spaces and a tab among them."""
    lines = [line for lines in LINES.values() for line in lines]
    return [*TEXTS.values(), *lines, *(["def f(x):\n        return x\n        # done\tso"] * 4)]


@pytest.fixture(scope="session")
def model_proto(sample: list[str]) -> bytes:
    return learn_sentencepiece(sample, vocab_size=850, character_coverage=1.0, num_threads=2)


def write(files: dict[str, bytes], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="session")
def folder(model_proto: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    write(sentencepiece_files(model_proto), folder)
    return folder
