"""API keys: list, make, revoke. Only a person in the page comes here: a key can make no key."""

import asyncio
from collections.abc import Sequence
from itertools import batched

import msgspec

from daehwa.accounts.keys import ApiKey, KeyLimits
from daehwa.accounts.minting import KeyWish, make_key
