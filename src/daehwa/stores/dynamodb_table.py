"""The shape of the DynamoDB table: keys, attributes, the index. Standard library only: the store, the CDK app and the
tests read it here.

One table, one index. Every item has `pk` and `sk`:

| item | pk | sk |
| --- | --- | --- |
| conversation | `C#<conversation>` | `C` |
| message: its head, with the last (mostly the only) piece of its text | `C#<conversation>` | `M#<message>` |
| an earlier piece of a long text, named by its content | `C#<conversation>` | `M#<message>#<piece>` |
| image of a question: its head, which lists its pieces | `C#<conversation>` | `I#<image>` |
| a piece of an image, named by its content | `C#<conversation>` | `P#<image>#<piece>` |
| that a conversation is going to be new and have images, until it is there | `U#<owner>` | `Y#<conversation>` |
| where a message is | `M#<message>` | `M` |
| search signature of a conversation | `U#<owner>` | `S1#<last digit>#<conversation>#<number>` |
| user | `U#<user>` | `U` |
| the user of an issuer's subject | `I#<hash of issuer and subject>` | `I` |
| session, expires | `S#<session>` | `S` |
| that a user has a session, expires | `U#<user>` | `N#<session>` |
| password, authenticator app, recovery code, passkey | `U#<user>` | `X#P`, `X#T`, `X#R#<hash>`, `X#K#<hash of id>` |
| whose a passkey is | `W#<hash of id>` | `W` |
| what somebody has set for themselves | `U#<user>` | `F` |
| link, expires | `T` | `<link>` |
| group | `G` | `<group>` |
| event of the audit log | `J` | `<number>` |
| what admins decided | `O` | `O` |
| that somebody was deleted, until what came late is removed too | `V` | `<user>` |
| sign-in attempt, expires | `A#<attempt>` | `A` |
| budget counter, a period's one expires | `B#<scope>` | `<period>` |
| a call's entry in the ledger, expires | `E#<day>` | `<user>#<entry>` |
| API key | `K#<digest>` | `K` |
| the digest of a key's id | `P#<key>` | `P` |
| an answer kept for an idempotency key, or a claim to make it, expires | `Q#<user>` | `<hash of caller and key>` |
| what happens in a minute, expires | `N#<scope>` | `<minute>` |

The index holds what is listed, and nothing else: an item is in it as long as it has both of the index's keys.

| list | `l` | `o` (texts that sort like what they hold) |
| --- | --- | --- |
| conversations of an owner | `L#<owner>` | pinned, updated, id |
| archived conversations of an owner | `A#<owner>` | pinned, updated, id |
| deleted conversations of all | `D` | time of deletion, id |
| users | `U` | created, id |
| API keys | `K` | user, created, id |

Attributes have short names because DynamoDB counts them in every item's size, which is what writing costs by.
"""

from typing import Final

PARTITION_KEY: Final = "pk"
SORT_KEY: Final = "sk"
EXPIRES: Final = "expires"
"""The TTL attribute: seconds since 1970. DynamoDB removes days late, so whoever reads it looks at the time too."""

LISTS: Final = "lists"
"""The name of the only index. All keys are strings."""
LIST: Final = "l"
ORDER: Final = "o"

# Attributes of conversations (and of messages, where the word is the same).
OWNER: Final = "w"
TITLE: Final = "t"
TITLE_SOURCE: Final = "ts"
MODEL: Final = "m"
LEAF: Final = "f"
PINNED: Final = "pi"
ARCHIVED: Final = "ar"
CREATED: Final = "c"
UPDATED: Final = "up"
DELETED: Final = "d"
TITLE_USAGE: Final = ("ti", "to", "tc", "tr")
"""Tokens that titles took: input, output, cached, reasoning."""
TITLE_COST: Final = "tm"
"""What titles cost, in micro-dollars; missing where no price was known."""
TITLE_ESTIMATED: Final = "te"
"""How many titles' tokens nobody counted."""

TURNS: Final = "k"
"""How many replies were begun: `begin_turn` adds one, in the same write. Search knows by it what it does not cover."""

# Attributes of messages.
PARENT: Final = "pa"
ROLE: Final = "r"
STATUS: Final = "s"
FINISH: Final = "fi"
USAGE: Final = "us"
ERROR: Final = "e"
POSITION: Final = "n"
HEARTBEAT: Final = "h"
RUNNER: Final = "rn"
STOP: Final = "q"

# Attributes of images. The head lists its pieces as that of a message does.
MEDIA_TYPE: Final = "mt"
DATA: Final = "da"

# The text of messages.
TEXT: Final = "p"
"""A piece of the parts' JSON, compressed."""
PIECES: Final = "x"
"""The names of the earlier pieces, in order."""

# Attributes of search signatures.
SIGNATURE: Final = "g"
COVERED: Final = "y"
"""The last four bytes of the id of each reply that the signature covers, one after the other."""

# Where a message is.
CONVERSATION: Final = "cv"

# Attributes of people (the role stands under the name that a message's has), and of their sessions and attempts.
ISSUER: Final = "is"
SUBJECT: Final = "su"
EMAIL: Final = "em"
NAME: Final = "na"
LAST_SEEN: Final = "ls"
GROUPS: Final = "gr"
CLAIMED: Final = "cl"
DISABLED: Final = "di"
LEAVING: Final = "lv"
USER: Final = "u"
VALUE: Final = "v"
"""A session, an attempt, an API key, an entry of the ledger, or what else is kept whole, as JSON."""

# Attributes of credentials: what changes in them by itself.
LAST_STEP: Final = "st"
CONFIRMED: Final = "cf"
SIGN_COUNT: Final = "sc"

# Attributes of the ledger (an entry stands in `VALUE`, as JSON) and of rates.
SPENT: Final = "sp"
"""What a counter counts, in micro-dollars; what happened in a minute."""
COUNTERS: Final = "cs"
"""The scope and period of each counter that an open entry is counted under."""
SETTLED: Final = "se"

WRITER: Final = "wr"
"""A word by which whoever puts an item knows it again where the answer was lost on its way: in claims and events."""

# Attributes of keys (a key stands in `VALUE`, its last use in `LAST_SEEN`) and of kept answers.
DIGEST: Final = "dg"
REVOKED: Final = "rv"
FINGERPRINT: Final = "fp"
UNTIL: Final = "un"
"""When a claim or an answer is over, to the millisecond."""
ANSWER: Final = "an"
"""A kept answer, compressed; missing while it is being made, empty where it was too large."""

ACTIONS: Final = (
    *("GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"),
    "ConditionCheckItem",
)
"""All that may be asked of the table while it serves, and all that the function's role lets it do: no scan, and nothing
to the table itself. A transaction needs its items' actions.
"""

LISTED: Final = (OWNER, TITLE, TITLE_SOURCE, MODEL, LEAF, PINNED, ARCHIVED, CREATED, UPDATED, TURNS)
"""What the index holds beside the keys: a conversation without its usage. Messages are not in it."""

CONVERSATION_SORT: Final = "C"
MESSAGE_SORT: Final = "M#"
IMAGE_PIECE_SORT: Final = "P#"
"""All that is read of a conversation, the heads of its images among it, sorts before this."""
PLACE_SORT: Final = "M"
SIGNATURE_SORT: Final = "S1#"
"""The digit is the version of what is kept of a text; signatures of another version are passed over."""
DELETED_LIST: Final = "D"
USER_LIST: Final = "U"
USER_SORT: Final = "U"
ISSUER_SORT: Final = "I"
SESSION_SORT: Final = "S"
ATTEMPT_SORT: Final = "A"
KEY_LIST: Final = "K"
KEY_SORT: Final = "K"
KEY_PLACE_SORT: Final = "P"
CREDENTIAL_SORT: Final = "X#"
"""What the sort keys of all that somebody proves themselves with begin with."""
PASSWORD_SORT: Final = "X#P"  # noqa: S105 - it is a key of an item
TOTP_SORT: Final = "X#T"
CODES_SORT: Final = "X#R#"
PASSKEYS_SORT: Final = "X#K#"
PASSKEY_SORT: Final = "W"
PREFERENCES_SORT: Final = "F"
LINKS: Final = "T"
GROUP_LIST: Final = "G"
AUDIT: Final = "J"
INSTALLATION: Final = "O"
REMOVED: Final = "V"


def conversation_partition(conversation: str) -> str:
    """Return the partition of a conversation and its messages."""
    return f"C#{conversation}"


def image_sort(image: str) -> str:
    """Return the sort key of an image's head."""
    return f"I#{image}"


def image_piece_sort(image: str, piece: str) -> str:
    """Return the sort key of a piece of an image."""
    return f"{IMAGE_PIECE_SORT}{image}#{piece}"


def arrival_sort(conversation: str) -> str:
    """Return the sort key, in its owner's partition, of the note that images of a conversation come before it."""
    return f"Y#{conversation}"


def place_partition(message: str) -> str:
    """Return the partition that says where a message is."""
    return f"M#{message}"


def owner_partition(owner: str) -> str:
    """Return the partition of a user and of the search signatures of what they own."""
    return f"U#{owner}"


def signature_sort(conversation: str, number: int | None = None) -> str:
    """Return the sort key of an item of a conversation's signature, or what all of them begin with. The conversation's
    last digit, which is random, stands first: several queries side by side read a share each.
    """
    return f"{SIGNATURE_SORT}{conversation[-1:]}#{conversation}#{'' if number is None else f'{number:04d}'}"


def signed_conversation(sort: str) -> str:
    """Return the conversation whose signature has this sort key."""
    return sort.split("#")[2]


def subject_partition(digest: str) -> str:
    """Return the partition that says who an issuer's subject is, by the hash of both."""
    return f"I#{digest}"


def session_partition(session: str) -> str:
    """Return the partition of a session."""
    return f"S#{session}"


def listed_session_sort(session: str) -> str:
    """Return the sort key by which a session stands in its user's partition, or what all of them begin with."""
    return f"N#{session}"


def passkey_partition(digest: str) -> str:
    """Return the partition that says whose a passkey is, by the hash of its id."""
    return f"W#{digest}"


def attempt_partition(attempt: str) -> str:
    """Return the partition of a sign-in attempt."""
    return f"A#{attempt}"


def budget_partition(scope: str) -> str:
    """Return the partition of a scope's counters of money, whose sort keys are periods."""
    return f"B#{scope}"


def entry_partition(day: str) -> str:
    """Return the partition of a day's entries in the ledger."""
    return f"E#{day}"


def entry_sort(user: str, entry: str = "") -> str:
    """Return the sort key of an entry, or what those of a user's begin with."""
    return f"{user}#{entry}"


def key_partition(digest: str) -> str:
    """Return the partition of an API key."""
    return f"K#{digest}"


def key_place_partition(key: str) -> str:
    """Return the partition that says which digest the key of an id has."""
    return f"P#{key}"


def key_order(user: str, created: int | None = None, key: str = "") -> str:
    """Return where a key stands in the list of keys, or what those of a user begin with."""
    return f"{user}#" if created is None else f"{user}#{moment_order(created)}#{key}"


def answer_partition(user: str) -> str:
    """Return the partition of the answers that are kept for a user, whose sort keys are hashes of caller and key."""
    return f"Q#{user}"


def rate_partition(scope: str) -> str:
    """Return the partition of a scope's minutes, which are its sort keys."""
    return f"N#{scope}"


def conversation_list(owner: str, *, archived: bool) -> str:
    """Return the list in which an owner's conversation stands."""
    return f"{'A' if archived else 'L'}#{owner}"


def conversation_order(*, pinned: bool, updated: int, conversation: str) -> str:
    """Return where a conversation stands in its owner's list, as a text that sorts so."""
    return f"{pinned:d}{moment_order(updated)}#{conversation}"


def moment_order(milliseconds: int) -> str:
    """Return a time as a text that sorts like it."""
    return f"{milliseconds:019d}"
