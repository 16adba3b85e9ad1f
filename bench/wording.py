"""Messages of Russian and English words as people use them: a few very often, most hardly ever (Zipf's law)."""

from __future__ import annotations

import random
from array import array
from itertools import accumulate
from typing import NamedTuple

WORDS_IN_LANGUAGE = 15_000
_RUSSIAN = """и в не на я что он с это как а то по но она к у из за вы все так же от бы о мы ты его для было если меня когда
ну да нет есть уже вот только ещё мне сейчас можно надо завтра сегодня спасибо хорошо привет заказ доставка деньги время
работа вопрос ответ человек магазин телефон адрес товар документ проект встреча отчёт файл письмо клиент сообщение договор
счёт оплата возврат город улица дом машина поезд самолёт билет гостиница погода утро вечер"""
_ENGLISH = """the to and a of in is it you that for on with this be are have not we as at if can your will but was from or by
do what so all just me my there about when which would like time work please thanks hello order delivery money question
answer people shop phone address item document project meeting report file letter customer message contract invoice payment
refund city street house car train plane ticket hotel weather morning evening"""
_SYLLABLES = (
    [c + v for c in "бвгджзклмнпрстфхцчш" for v in "аеиоуыя"],
    [c + v for c in "bcdfghklmnprstvw" for v in "aeiou"],
)
_ENDINGS = (
    ["", "", "а", "ы", "ов", "ами", "ать", "ает", "ение", "ский", "ного", "ость"],
    ["", "", "s", "ed", "ing", "er", "ly", "ness", "tion"],
)


class Said(NamedTuple):
    """Messages, oldest first: the words of the n-th are ``words[starts[n]:starts[n + 1]]``, numbers in ``vocabulary``."""

    vocabulary: list[str]
    words: array[int]
    starts: array[int]
    rooms: array[int]

    def of(self, message: int) -> array[int]:
        """Return the words of a message."""
        return self.words[self.starts[message] : self.starts[message + 1]]

    def text(self, message: int) -> str:
        """Return a message as it was written."""
        return " ".join(self.vocabulary[word] for word in self.of(message)).capitalize() + ".!? "[message % 4]


def make_messages(count: int, rooms: int) -> Said:
    """Return so many messages. Rooms, from 0, speak Russian or English in turn; the first have far more than the last."""
    choose = random.Random(5)
    vocabulary = [
        word
        for language, first in enumerate((_RUSSIAN, _ENGLISH))
        for word in _make_vocabulary(choose, language, first.split())
    ]
    weights = list(accumulate(1 / rank for rank in range(1, WORDS_IN_LANGUAGE + 1)))
    numbers = [range(WORDS_IN_LANGUAGE), range(WORDS_IN_LANGUAGE, 2 * WORDS_IN_LANGUAGE)]
    said = Said(vocabulary, array("I"), array("I", [0]), array("I"))
    for _ in range(count):
        room = int(rooms * choose.random() ** 3)
        length = choose.randrange(3, 22)
        said.rooms.append(room)
        said.words.extend(choose.choices(numbers[room % 2], cum_weights=weights, k=length))
        said.starts.append(len(said.words))
    return said


def _make_vocabulary(choose: random.Random, language: int, first: list[str]) -> list[str]:
    words = dict.fromkeys(first)
    while len(words) < WORDS_IN_LANGUAGE:
        stem = "".join(choose.choice(_SYLLABLES[language]) for _ in range(choose.randrange(2, 4)))
        words.setdefault(stem + choose.choice(_ENDINGS[language]))
    return list(words)
