from collections import Counter
from unicodedata import category, combining, is_normalized, normalize

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gateway.search.analyzer import (
    STOP_WORDS,
    TOKEN_BYTES_MAX,
    TOKEN_CHARS_MAX,
    TOKENS_MAX,
    RowTerms,
    analyze,
    row_terms,
)

PROPERTY = settings(deadline=None, max_examples=300)
ANY_CHARACTER = st.characters(exclude_categories=())
DELICATE = st.sampled_from(
    "aeisty'01,._-@* "
    "ßİ\u0131Σςﬁ\u2019²\u0662и日本한かกहｶ\uff9e"
    "\u0301\u0306\u3099\u0e38\u093f\u094d\u0640\u00ad\u200b\u200d\ufe0f\u20e3\ud800\x00😀"
)
TEXT = st.text(ANY_CHARACTER | DELICATE, max_size=40)
HAN = st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The CAT sat", ["cat", "sat"]),
        ("John's dogs didn't eat O'Brien\u2019s pies", ["john", "dog", "eat", "o", "brien", "pie"]),
        ("cities glass campus shoes Ares gas", ["city", "glass", "campus", "shoe", "ares", "gas"]),
        (
            "2,018 people, 3.14 v1.2, 1,2,3 12,34",
            ["2018", "people", "3", "14", "v1", "2", *"123", "12", "34"],
        ),
        ("1990s \u0662\u0660\u0661\u0668 x\u00b2", ["1990", "2018", "x2"]),
        ("snake_case a.b@c.com C++ 50%", ["snake", "case", "b", "c", "com", "c", "50"]),
        ("Łódź Søren Straße CAFÉ naïve", ["lodz", "soren", "strasse", "cafe", "naive"]),
        ("İstanbul ISTANBUL", ["istanbul", "istanbul"]),
        ("co\u00adoperate zero\u200bwidth", ["cooperate", "zero", "width"]),
        ("мой ёлка їжак", ["мой", "елка", "їжак"]),
        ("Ἑλλάς", ["ελλασ"]),
        ("שָׁלוֹם", ["שלום"]),
        ("مُحَمَّد العـــربية", ["محمد", "العربية"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("日本語、カー 2018年", ["日本", "本語", "カー", "2018", "年"]),
        ("ｶﾞﾗｽ", ["ガラ", "ラス"]),
        ("한국어를 배우다", ["한국", "국어", "어를", "배우", "우다"]),
        ("ภาษาไทยดี", ["ภา", "าษ", "ษา", "าไ", "ไท", "ทย", "ยดี"]),
        ("iPhone15プロ", ["iphone15", "プロ"]),
        ("👩\u200d👩\u200d👧 \ud800 \x00 1\ufe0f\u20e3", ["1"]),
        ("", []),
        ("!?…", []),
    ],
)
def test_tokens_of_known_texts(text: str, tokens: list[str]):
    """Stored terms stay valid: a change here needs a new TERMS_ANALYZER_REVISION."""
    assert analyze(text) == tokens


@PROPERTY
@given(TEXT)
def test_tokens_mean_the_same_to_both_engines(text: str):
    """A token is a word of letters, digits and inner marks, fit for RediSearch, without operators."""
    for token in analyze(text):
        kinds = [category(char)[0] for char in token]
        assert set(kinds) <= set("LNM")
        assert kinds[0] != "M"
        assert len(token) <= TOKEN_CHARS_MAX
        assert len(token.encode()) <= TOKEN_BYTES_MAX
        assert token.casefold() == token
        assert is_normalized("NFC", token)


@PROPERTY
@given(TEXT)
def test_analysing_stored_terms_again_changes_nothing(text: str):
    """Terms may be re-analysed, for instance by an import, without drifting."""
    tokens, stored = analyze(text), row_terms(text)
    assert analyze(" ".join(tokens)) == tokens
    assert analyze(stored.text) == stored.text.split()
    assert stored.text.split()[: stored.count] == tokens
    assert len(tokens) == stored.count


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("日本語、カー 2018年 日", RowTerms("日本 本語 カー 2018 年 日 本 語 カ ー", 6)),
        ("哈哈哈", RowTerms("哈哈 哈哈 哈", 2)),
        ("ภาษาไทยดี", RowTerms("ภา าษ ษา าไ ไท ทย ยดี ภ า ษ ไ ท ย ดี", 7)),
        ("The 한국", RowTerms("한국 한 국", 1)),
        ("हिन्दी में Łódź", RowTerms("हिन्दी में lodz", 3)),
        ("The cats", RowTerms("cat", 1)),
        ("", RowTerms("", 0)),
    ],
)
def test_terms_of_known_rows(text: str, stored: RowTerms):
    """Letters of bigrams come once, after the tokens and beside their count."""
    assert row_terms(text) == stored


@PROPERTY
@given(TEXT)
def test_spelling_of_accents_does_not_matter(text: str):
    """Composed and decomposed writing of one text are found by each other."""
    tokens = analyze(text)
    assert analyze(normalize("NFC", text)) == tokens
    assert analyze(normalize("NFD", text)) == tokens


@PROPERTY
@given(st.text(st.characters(max_codepoint=127), max_size=60))
def test_case_does_not_matter(text: str):
    """The fast path for ASCII folds case as the general one does."""
    tokens = analyze(text)
    assert analyze(text.upper()) == tokens
    assume(not STOP_WORDS.intersection(tokens))
    assert analyze(text + " é") == [*tokens, "e"]


@PROPERTY
@given(TEXT, TEXT)
def test_a_text_holds_the_tokens_of_its_parts(one: str, other: str):
    """A query taken from a text finds it: tokens do not depend on what stands around a word."""
    first, second = analyze(one), analyze(other)
    assume(not STOP_WORDS.intersection(first + second))
    assert analyze(f"{one} {other}") == first + second


@PROPERTY
@given(st.text(HAN, min_size=2, max_size=20), st.data())
def test_any_part_of_an_unspaced_run_finds_it(run: str, data: st.DataObject):
    """Chinese is searchable without knowing where its words end."""
    start = data.draw(st.integers(0, len(run) - 2))
    end = data.draw(st.integers(start + 2, len(run)))
    assert set(analyze(run[start:end])) <= set(analyze(run))


@PROPERTY
@given(st.text(HAN | DELICATE, max_size=20), st.data())
def test_any_letter_finds_its_row_and_changes_no_other_score(text: str, data: st.DataObject):
    """A query of one letter of an unspaced script finds the rows that have it. What BM25 computes of longer
    queries, occurrences and length, is that of the tokens alone, and no term is more frequent than the row
    is long, which the bounds of MaxScore rest on."""
    run = data.draw(st.text(HAN, min_size=2, max_size=8))
    tokens, stored = analyze(f"{text} {run}"), row_terms(f"{text} {run}")
    found = Counter(stored.text.split(" "))
    for letter in run:
        assert set(analyze(letter)) <= found.keys()
    for token in analyze(run):
        assert found[token] == tokens.count(token) > 0
    assert max(found.values()) <= stored.count == len(tokens)


def test_stop_words_stay_when_there_is_nothing_else():
    """An entity named "It" or "The Who" can be found; stemming never makes a stop word of a word."""
    assert analyze("It") == ["it"]
    assert analyze("The Who") == ["the", "who"]
    assert analyze("It runs") == ["run"]
    assert [analyze(word + "s") for word in STOP_WORDS if word + "s" not in STOP_WORDS and len(word) > 2] == [
        [word + "s"] for word in STOP_WORDS if word + "s" not in STOP_WORDS and len(word) > 2
    ]


def test_long_tokens_are_cut_in_characters_and_bytes():
    """RediSearch mixes up tokens of 128 bytes and more."""
    assert analyze("x" * 1000) == ["x" * TOKEN_CHARS_MAX]
    assert analyze("й" * 1000) == ["й" * (TOKEN_BYTES_MAX // 2)]
    assert analyze("\U00010428" * 1000) == ["\U00010428" * (TOKEN_BYTES_MAX // 4)]


@pytest.mark.parametrize("word", ["word", "wörter", "日"])
def test_a_text_gives_a_bounded_number_of_tokens(word: str):
    """One huge text cannot make an unbounded row."""
    assert len(analyze(f"{word} " * (TOKENS_MAX + 10))) == TOKENS_MAX


@pytest.mark.parametrize(("room", "letters"), [(0, []), (1, ["日"]), (2, ["日", "本"]), (3, ["日", "本"])])
def test_letters_of_bigrams_never_push_tokens_out(room: int, letters: list[str]):
    """They take what room the tokens leave, so that a row has TOKENS_MAX terms at most."""
    stored = row_terms("日本 " * (TOKENS_MAX - room))
    assert stored.text.split()[stored.count :] == letters
    assert stored.count == TOKENS_MAX - room


def test_runs_of_marks_are_cut_before_they_are_sorted():
    """Canonical ordering is quadratic in a run of marks: no long one may be left when it is normalised."""
    marks = "\u0e38\u0e48"
    assert analyze("k" + marks * 1000) == analyze("k" + marks * 15)
    hidden = [
        char
        for char in map(chr, range(0x110000))
        if char.isalnum() and combining(normalize("NFKD", char)[0]) and char not in "\uff9e\uff9f"
    ]
    assert hidden == [], "a letter decomposes to a mark, so that a run of it would escape the cut"
