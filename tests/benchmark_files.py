"""Small files of our own making in the forms in which benchmarks are published, and texts of many scripts."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

SHARED = Path(__file__).resolve().parents[1] / "../shared/data"

# Language -> (sentence, its words with spaces between them, whatever the script).
SENTENCES = {
    "zh": ("今天早上河水很高。", "今天 早上 河水 很 高 。"),
    "ja": ("今朝、川の水が高い。", "今朝 、 川 の 水 が 高い 。"),
    "ko": ("오늘 아침 강물이 높다.", "오늘 아침 강물이 높다 ."),
    "th": ("เช้านี้น้ำในแม่น้ำสูง", "เช้า นี้ น้ำ ใน แม่น้ำ สูง"),
    "km": ("ព្រឹកនេះទឹកទន្លេឡើងខ្ពស់។", "ព្រឹក នេះ ទឹក ទន្លេ ឡើង ខ្ពស់ ។"),
    "ar": ("النهر مرتفع هذا الصباح.", "النهر مرتفع هذا الصباح ."),
    "he": ("הנהר גבוה הבוקר.", "הנהר גבוה הבוקר ."),
    "hi": ("आज सुबह नदी ऊँची है।", "आज सुबह नदी ऊँची है ।"),
    "ta": ("இன்று காலை ஆறு உயர்ந்துள்ளது.", "இன்று காலை ஆறு உயர்ந்துள்ளது ."),
    "am": ("ዛሬ ጠዋት ወንዙ ከፍ ብሏል።", "ዛሬ ጠዋት ወንዙ ከፍ ብሏል ።"),
    "ka": ("დღეს დილით მდინარე მაღალია.", "დღეს დილით მდინარე მაღალია ."),
    "ru": ("Сегодня утром река высокая.", "Сегодня утром река высокая ."),
    "tr": ("Bu sabah ırmak İstanbul'da yüksek.", "Bu sabah ırmak İstanbul'da yüksek ."),
    "en": ("The river is high this morning.", "The river is high this morning ."),
}


def write(path: Path, text: str) -> Path:
    """As it stands: no line end is changed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def tsv(path: Path, rows: Iterable[Sequence[str]]) -> Path:
    return write(path, "".join("\t".join(row) + "\n" for row in rows))


def jsonl(path: Path, records: Iterable[dict[str, Any]]) -> Path:
    return write(path, "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))


def squad(path: Path, asked: Iterable[tuple[str, str, str, list[tuple[str, int]]]], **more: Any) -> Path:
    """asked: (id, context, question, answers); more: into each question, as is_impossible."""
    paragraphs = [
        {
            "context": context,
            "qas": [
                {
                    "id": id,
                    "question": question,
                    "answers": [{"text": text, "answer_start": begin} for text, begin in answers],
                    **more,
                }
            ],
        }
        for id, context, question, answers in asked
    ]
    content = {"version": "1.1", "data": [{"title": "Rivers", "paragraphs": paragraphs}]}
    return write(path, json.dumps(content, ensure_ascii=False))
