"""What every store promises of search, over scripts, forms and hostile queries."""
# ruff: noqa: RUF001 - letters that look alike are the point

from string import printable

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stores.asking import ME, OTHER, ask, ended, found, grown, make_turn, marked

from daehwa.conversation.ids import now_ms
from daehwa.conversation.messages import ReasoningPart, TextPart
from daehwa.conversation.ports import ConversationChanges, ConversationStore
from daehwa.stores.memory import MemoryStore
from daehwa.stores.search_text import SNIPPET_CHARACTERS, Query, folded, tokens


@pytest.mark.parametrize(
    ("words", "query"),
    [
        ("대한민국한국어", "한국"),
        ("대한민국한국어", "민국한"),
        ("대한민국한국어", "어"),
        ("한국어를 공부하는 방법", "공부 한국어"),
        ("학교에서부터", "에서"),
        ("안녕하세요", "안녕ㅎ"),
        ("ㅋㅋㅋ 재미있다", "ㅋㅋ"),
        ("GPT모델을 쓴다", "gpt모델"),
        ("GPT모델을 쓴다", "모델"),
        ("GPT모델을 쓴다", "gp"),
        ("새로운모델GPT를", "gpt"),
        ("東京都に住んでいます", "京都"),
        ("パソコンを買う", "ﾊﾟｿｺﾝ"),
        ("データベース", "タベ"),
        ("人々の声", "々の"),
        ("我喜欢人工智能", "人工智能"),
        ("我喜欢人工智能", "喜"),
        ("ภาษาไทย", "ไทย"),
        ("Straße und Übung", "STRASSE"),
        ("Straße und Übung", "üb"),
        ("İstanbul", "i\u0307stan"),
        ("cafe\u0301 noir", "café"),
        ("café noir", "cafe\u0301"),
        ("\u1112\u1161\u11ab\u1100\u116e\u11a8\u110b\u1165", "한국어"),
        ("한국어", "\u1112\u1161\u11ab\u1100\u116e\u11a8"),
        ("ＦＵＬＬ　ｗｉｄｔｈ", "full width"),
        ("the ﬁnal oﬀer", "final off"),
        ("snake_case_name", "case"),
        ("don't stop", "don't"),
        ("version 3.14.2", "3.14"),
        ("यह हिन्दी है", "हिन्दी"),
        ("عربي جميل", "جم"),
        ("👩‍👩‍👧 family 🎉party", "party"),
        ("x\x00zebra", "zebra"),
        ("a" * 100 + " end", "a" * 60),
        ("many words in one text here", "text many"),
    ],
)
async def test_a_text_is_found(store: ConversationStore, words: str, query: str) -> None:
    await ask(store, words, title="T1")
    await ask(store, "Something else 무언가", words, title="T2")
    await ask(store, "neither", title=words)
    hits = await store.search_conversations(ME, query)
    assert [hit.conversation.title for hit in hits] == [words, "T2", "T1"]
    for hit in hits:
        assert any(piece.match for piece in (*hit.title, *hit.snippet)), "what matched is marked"


@pytest.mark.parametrize(
    ("words", "query"),
    [
        ("model", "odel"),
        ("한국", "한국어"),
        ("한 국", "한국"),
        ("국한", "한국"),
        ("GPT 모델", "gpt모델"),
        ("one", "one two"),
        ("cafe", "café"),
        ("한가나국가 나국", "가나국나"),
    ],
)
async def test_a_text_is_not_found(store: ConversationStore, words: str, query: str) -> None:
    await ask(store, words, title=words)
    assert await store.search_conversations(ME, query) == ()


@pytest.mark.parametrize("query", ["", " ", "!?", "…", "🎉", "👩‍👩‍👧", '"', "*", "___", "\x00", "\ud800", "。、"])
async def test_a_query_without_letters_or_digits_finds_nothing(store: ConversationStore, query: str) -> None:
    await ask(store, f"party {query.encode('utf-8', 'replace').decode()}", title="party 🎉")
    assert await store.search_conversations(ME, query) == ()


@pytest.mark.parametrize(
    "query",
    [
        "cat' OR '1'='1",
        'cat" OR "dog',
        "cat AND NOT dog",
        "cat*",
        "^cat",
        "NEAR(cat dog)",
        "tokens:cat",
        "-cat",
        "cat + dog",
        "(cat",
        "{cat}",
        "cat%",
        "_at",
        "cat; DROP TABLE messages; --",
        "cat\x00dog",
        "[a-z]+ cat",
        "cat\\",
        "cat \ud83d",
    ],
)
async def test_no_query_is_a_command(store: ConversationStore, query: str) -> None:
    await ask(store, "cat", title="Animals")
    await store.search_conversations(ME, query)
    assert await found(store, "cat") == ["Animals"]


async def test_title_matches_come_first_then_the_newest(store: ConversationStore) -> None:
    await ask(store, "tree one", title="Title with tree")
    for n in range(3):
        await ask(store, "tree", title=f"Text {n}")
    await ask(store, "other", title="A tree again")
    assert await found(store, "tree") == ["A tree again", "Title with tree", "Text 2", "Text 1", "Text 0"]
    first_two = await store.search_conversations(ME, "tree", limit=2)
    assert [hit.conversation.title for hit in first_two] == ["A tree again", "Title with tree"]
    assert [hit.message is None for hit in first_two] == [True, False]


async def test_whole_words_come_before_words_that_only_begin_so(store: ConversationStore) -> None:
    for number in (2, 20, 200, 209):
        await ask(store, "other words", title=f"Question {number}")
    for words in ("question 20", "a question: 2000", "question 2 of 201"):
        await ask(store, words, title=f"T: {words}")
    assert await found(store, "Question 20") == [
        *("T: question 20", "Question 20"),
        *("T: question 2 of 201", "T: a question: 2000", "Question 209", "Question 200"),
    ]
    hits = await store.search_conversations(ME, "question 2", limit=2)
    assert [hit.conversation.title for hit in hits] == ["T: question 2 of 201", "Question 2"]


async def test_texts_with_whole_words_come_before_those_with_beginnings(store: ConversationStore) -> None:
    for words in ("cat", "caterpillar", "a category, a cat", "catalogue", "GPT모델", "GPTs 모델"):
        await ask(store, words, title=f"T{words[-1]}")
    assert [hit.conversation.title for hit in await store.search_conversations(ME, "cat")] == ["Tt", "Tt", "Te", "Tr"]
    assert await found(store, "gpt") == ["T델", "T델"]
    hits = await store.search_conversations(ME, "gpt")
    assert [marked(hit)[1] for hit in hits] == ["[GPT]모델", "[GPT]s 모델"], "another script ends a word"


@pytest.mark.parametrize("query", ["한국", "국어", "人工", "어"])
async def test_in_scripts_without_spaces_every_match_is_as_good(store: ConversationStore, query: str) -> None:
    for number, words in enumerate(("한국어 人工", "대한국어의 人工智能", "중국어와 한국어들 弱人工")):
        await ask(store, words, title=f"T{number}")
        await ask(store, "q", title=f"{number} {words}")
    hits = await found(store, query)
    assert [title[:2] for title in hits] == ["2 ", "1 ", "0 ", "T2", "T1", "T0"]


async def test_of_a_conversation_the_newest_message_with_whole_words_is_shown(store: ConversationStore) -> None:
    for title in ("Other", "A cat", "Categories"):
        begun = await ask(store, "a cat", "the cat", title=title)
        await ask(store, "category", "categories", conversation=begun.conversation.id, parent=begun.reply.id)
    await ask(store, "cat", title="Newest")
    hits = await store.search_conversations(ME, "cat")
    assert [marked(hit) for hit in hits] == [
        *(("A [cat]", "the [cat]"), ("[Cat]egories", "the [cat]"), ("Newest", "[cat]"), ("Other", "the [cat]")),
    ]


async def test_the_snippet_shows_the_whole_word_where_there_is_one(store: ConversationStore) -> None:
    await ask(store, f"category {'and so on ' * 40} a cat {'and so on ' * 40} category", title="T")
    (hit,) = await store.search_conversations(ME, "cat")
    assert "a [cat] and" in marked(hit)[1]


async def test_a_conversation_is_found_once_with_its_newest_match(store: ConversationStore) -> None:
    first = await ask(store, "a nightingale", "A nightingale sings.", title="Birds")
    second = await ask(
        store, "Louder?", "The NIGHTINGALE sings loudly.", conversation=first.conversation.id, parent=first.reply.id
    )
    (hit,) = await store.search_conversations(ME, "nightin")
    assert hit.message == second.reply.id
    assert marked(hit) == ("Birds", "The [NIGHTIN]GALE sings loudly.")
    assert hit.conversation == second.conversation


async def test_where_only_the_title_matches_there_is_no_snippet(store: ConversationStore) -> None:
    await ask(store, "question", title="나의 한국어 공부")
    (hit,) = await store.search_conversations(ME, "국어 공")
    assert (hit.message, hit.snippet) == (None, ())
    assert marked(hit)[0] == "나의 한[국어] [공]부"


async def test_snippets_are_short_and_show_the_best_place(store: ConversationStore) -> None:
    filler = "나무와 숲 그리고 강물이 있다. " * 40
    await ask(store, filler + "여기 보물지도 있음 " + filler + "보물지도와 열쇠 " + filler, title="Long")
    (hit,) = await store.search_conversations(ME, "보물 열쇠")
    _, snippet = marked(hit)
    assert "[보물]지도와 [열쇠]" in snippet
    assert len("".join(piece.text for piece in hit.snippet)) <= SNIPPET_CHARACTERS


async def test_highlights_stand_in_the_original_text(store: ConversationStore) -> None:
    words = "①Ｆull width ＡＰＩ, cafe\u0301s and 대한민\u1100\u116e\u11a8 …"
    await ask(store, words, title="Forms")
    for query, expected in (("api", "[ＡＰＩ]"), ("café", "[cafe\u0301]s"), ("민국", "[민\u1100\u116e\u11a8]")):
        (hit,) = await store.search_conversations(ME, query)
        assert expected in marked(hit)[1]
        assert "".join(piece.text for piece in hit.snippet) == words


async def test_only_what_the_reader_sees_of_ones_own_is_found(store: ConversationStore) -> None:
    begun = await store.begin_turn(make_turn("question"))
    parts = (ReasoningPart("thinkingword"), TextPart("visible"), TextPart("word"))
    await store.finish_reply(msgspec.structs.replace(ended(begun.reply, ""), parts=parts))
    assert len(await found(store, "visibleword")) == 1
    assert await found(store, "thinkingword") == []
    assert await found(store, "visibleword", OTHER) == []


async def test_replies_are_found_when_they_end_however_they_end(store: ConversationStore) -> None:
    done, stopped, dead, late = [(await store.begin_turn(make_turn("q", title=str(n)))).reply for n in range(4)]
    await store.finish_reply(ended(done, "zebra"))
    await store.finish_reply(ended(stopped, "zebra", status="stopped"))
    await store.save_checkpoints([grown(dead, "zebra", at=1), grown(late, "zebra", at=1)])
    await store.interrupt_replies(heartbeat_before=2)
    assert await found(store, "zebra") == ["3", "2", "1", "0"]
    await store.finish_reply(ended(late, "giraffe"))
    assert await found(store, "zebra") == ["2", "1", "0"]
    assert await found(store, "giraffe") == ["3"]


async def test_questions_are_found_while_their_answers_grow(store: ConversationStore) -> None:
    begun = await store.begin_turn(make_turn("얼룩말 crossing", title="Zoo"))
    assert await found(store, "얼룩") == await found(store, "crossing") == await found(store, "zoo") == ["Zoo"]
    await store.finish_reply(ended(begun.reply, "giraffe"))
    again = make_turn("and a walrus", conversation=begun.conversation.id, parent=begun.reply.id)
    begun = await store.begin_turn(again)
    assert await found(store, "walrus") == ["Zoo"]
    await store.finish_reply(ended(begun.reply, "giraffe"))
    assert await found(store, "얼룩") == await found(store, "walrus") == await found(store, "giraffe") == ["Zoo"]


async def test_what_changes_while_its_answer_grows_is_found_as_it_is(store: ConversationStore) -> None:
    kept, gone = [await store.begin_turn(make_turn("zebra", title="Zoo")) for _ in range(2)]
    await store.change_conversation(ME, kept.conversation.id, ConversationChanges(title="Menagerie"))
    await store.delete_conversation(ME, gone.conversation.id)
    await store.purge_deleted(before=now_ms() + 1000)
    assert await found(store, "zoo") == []
    assert await found(store, "zebra") == await found(store, "menag") == ["Menagerie"]
    for begun in (kept, gone):
        await store.finish_reply(ended(begun.reply, "giraffe"))
    assert await found(store, "zoo") == []
    assert await found(store, "zebra") == await found(store, "giraffe") == ["Menagerie"]


async def test_archived_and_renamed_ones_are_found_by_their_new_title(store: ConversationStore) -> None:
    name = (await ask(store, "q", title="Old")).conversation.id
    await store.change_conversation(ME, name, ConversationChanges(title="Ｎew 제목", archived=True))
    assert await found(store, "new 제목") == ["Ｎew 제목"]
    assert await found(store, "old") == []
    other = (await ask(store, "q", title="First")).conversation.id
    await store.set_title(other, "Straße", "model", None)
    assert await found(store, "strasse") == ["Straße"]


async def test_ids_used_again_after_a_purge_are_found_by_their_new_text_only(store: ConversationStore) -> None:
    begun = await ask(store, "zebra", "zebra")
    await store.delete_conversation(ME, begun.conversation.id)
    await store.purge_deleted(before=now_ms() + 1000)
    await ask(store, "giraffe", "giraffe", conversation=begun.conversation.id, reply=begun.reply.id)
    assert await found(store, "zebra") == []
    assert await found(store, "giraffe") == ["giraffe"]


_LETTERS = st.sampled_from("aAbß éｅ́ﬁ1_-한국어ㄱ한日本ーｶﾞ々🎉İ\u0301ไ")


@settings(deadline=None)  # a busy machine is no fault
@given(words=st.text(_LETTERS, max_size=30), typed=st.text(_LETTERS, max_size=6), whole=st.booleans())
def test_whatever_matches_is_in_the_index(words: str, typed: str, *, whole: bool) -> None:
    query = Query(typed)
    held = tokens(words)
    if not query.is_empty and query.matches(folded(words), whole=whole):
        assert query.matches(folded(words))
        for term, is_prefix in query.index_terms(whole=whole).items():
            assert term in held or (is_prefix and any(token.startswith(term) for token in held))


@settings(deadline=None)
@given(st.text(st.one_of(_LETTERS, st.characters()), max_size=300), st.text(_LETTERS, min_size=1, max_size=4))
def test_segments_are_the_text_in_pieces(words: str, typed: str) -> None:
    query = Query(typed)
    assert "".join(piece.text for piece in query.highlighted(words)) == words
    snippet = "".join(piece.text for piece in query.snippet(words))
    assert snippet in words
    assert len(snippet) <= SNIPPET_CHARACTERS + 12
    assert all(piece.text for piece in (*query.highlighted(words), *query.snippet(words)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from(printable + "한국어日本ガ"), max_size=12))
async def test_any_query_is_answered(query: str) -> None:
    memory = MemoryStore()
    await ask(memory, query, title="T")
    hits = await memory.search_conversations(ME, query)
    assert len(hits) == (not Query(query).is_empty)
