"""Puts the page into its bucket: hashed files first, index.html last, so that no visitor meets a half of each.

CDK's own way (BucketDeployment) would add a second function with rights of its own. A hashed file that is no longer
named stays for some days, because a page that is open somewhere may still ask for it.
"""

import datetime as dt
import mimetypes
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

import daehwa
from daehwa.deployment import programs
from daehwa.deployment.cloud import Cloud
from daehwa.deployment.configuration import Outputs
from daehwa.deployment.errors import DeploymentError

HASHED_FOLDER = "assets"
INDEX = "index.html"
CHANGED_PATHS = ("/", "/index.html", "/chat.html")
DAYS_KEPT = 14
REPLACED_TAG = "daehwa-replaced"
_FOREVER, _ASK_EACH_TIME = "public, max-age=31536000, immutable", "no-cache"
_COMPRESSED = {".br", ".gz"}  # CloudFront compresses by itself
_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_AT_ONCE = 8
_MOST_A_CALL = 1000


class Upload(msgspec.Struct, frozen=True):
    """What an upload did."""

    files: int
    removed: int


def page_folder() -> Path:
    """Return the built page: the package's, built anew in a source tree where it is stale. Raise `DeploymentError`."""
    package = Path(daehwa.__file__).parent
    folder, tree = package / "server" / "page", package.parents[1]
    if (tree / "hatch_build.py").is_file() and (tree / "web" / "package.json").is_file():
        command = [programs.find_uv(), "run", "--no-project", "--quiet", "--with", "hatchling>=1.27", "hatch_build.py"]
        programs.run(command, tree, what="Building the page")
    if not (folder / INDEX).is_file():
        raise DeploymentError("This installation of daehwa has no page in it. Install it again, from a built package.")
    return folder


def upload(cloud: Cloud, outputs: Outputs, folder: Path, today: dt.date) -> Upload:
    """Put all files, tell CloudFront, and take away what was replaced more than `DAYS_KEPT` days ago."""
    files = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    if INDEX not in files:
        raise DeploymentError(f"The page's folder {folder} has no {INDEX}.")
    s3 = cloud.client("s3")
    first = sorted(name for name in files if name.startswith(f"{HASHED_FOLDER}/"))
    then = sorted(set(files) - set(first) - {INDEX})
    for names in (first, then, [INDEX]):
        # A list each, for a failed upload to be raised here, before index.html names what is not there.
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda name: _put(s3, outputs.page_bucket, name, files[name]), names))
    _tell_cloudfront(cloud, outputs.distribution_id)
    return Upload(len(files), _remove_former(s3, outputs.page_bucket, set(files), today))


def empty(cloud: Cloud, bucket: str) -> int:
    """Remove everything from a bucket and return how many files that were."""
    s3 = cloud.client("s3")
    names = [item["Key"] for item in _objects(s3, bucket)]
    _delete(s3, bucket, names)
    return len(names)


def _files(folder: Path) -> Iterator[Path]:
    yield from (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix not in _COMPRESSED)


def _put(s3: Any, bucket: str, name: str, path: Path) -> None:
    guessed = mimetypes.guess_type(name)[0] or "application/octet-stream"
    is_hashed = name.startswith(f"{HASHED_FOLDER}/")
    s3.put_object(
        Bucket=bucket,
        Key=name,
        Body=path.read_bytes(),
        ContentType=_MEDIA_TYPES.get(path.suffix, guessed),
        CacheControl=_FOREVER if is_hashed else _ASK_EACH_TIME,
    )


def _tell_cloudfront(cloud: Cloud, distribution: str) -> None:
    paths = {"Quantity": len(CHANGED_PATHS), "Items": list(CHANGED_PATHS)}
    batch = {"Paths": paths, "CallerReference": str(uuid.uuid4())}
    cloud.client("cloudfront").create_invalidation(DistributionId=distribution, InvalidationBatch=batch)


def _remove_former(s3: Any, bucket: str, current: set[str], today: dt.date) -> int:
    old = []
    for item in _objects(s3, bucket):
        name = item["Key"]
        if name in current:
            continue
        tags = {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(Bucket=bucket, Key=name)["TagSet"]}
        replaced = tags.get(REPLACED_TAG)
        if replaced is None:
            tag = {"Key": REPLACED_TAG, "Value": today.isoformat()}
            s3.put_object_tagging(Bucket=bucket, Key=name, Tagging={"TagSet": [tag]})
        elif (today - dt.date.fromisoformat(replaced)).days > DAYS_KEPT:
            old.append(name)
    _delete(s3, bucket, old)
    return len(old)


def _objects(s3: Any, bucket: str) -> Iterator[dict[str, Any]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        yield from page.get("Contents", ())


def _delete(s3: Any, bucket: str, names: list[str]) -> None:
    for start in range(0, len(names), _MOST_A_CALL):
        objects = [{"Key": name} for name in names[start : start + _MOST_A_CALL]]
        failed = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True}).get("Errors", ())
        if failed:
            raise DeploymentError(f"{failed[0]['Key']} could not be removed from {bucket}: {failed[0]['Message']}.")
