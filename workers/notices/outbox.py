"""Who is told what happens in a home, what they were told, and what they have yet to be told.

    <home>/notices/recipients.json              whom to tell of what; for its owner alone, since addresses hold tokens
    <home>/notices/<time>-<what>/notice.json    a notice; the first who publishes it wins
    <home>/notices/<time>-<what>/to-<id>.json   what came of it at one recipient
    <home>/notices/last/<id>.json               the last delivery to each recipient

So whoever is killed between an event and its delivery does not keep anybody from being told, and nobody is told twice.
"""

import fcntl
import hashlib
import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline.clock import now as clock_now
from pipeline.errors import StoreError
from pipeline.wire import Value
from storage import Documents, durable
from storage.documents import encode
from workers.notices.delivery import Delivery, deliver
from workers.notices.notice import NIGHT_DEFAULTS, Event, Notice
from workers.notices.targets import Target

log = logging.getLogger(__name__)

FOLDER = "notices"

OLDEST = timedelta(days=1)
"""An older notice is delivered no more."""
KEPT = timedelta(days=30)
"""How long what was told is kept."""
KEPT_NOTICES = 100
"""So many of the newest are kept in any case: a clock that was ahead for a while may be what makes them old."""
AGAIN_S = 300.0
"""How long after a delivery that failed it is tried again; twice as long each time after."""

_KEY = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"(\d{8}T\d{6}Z)-(\w+)")


class Recipient(Value, frozen=True, kw_only=True):
    """A target, and since when it is told."""

    target: Target
    since: str
    """ISO 8601, UTC: of what happened before it is not told."""

    @property
    def name(self) -> str:
        """A name for its files, which shows nothing of the address."""
        return hashlib.sha256(self.target.address.encode("utf-8", "surrogateescape")).hexdigest()[:16]


class Recipients(Value, frozen=True, kw_only=True):
    """Whom to tell, and of what."""

    recipients: tuple[Recipient, ...] = ()
    events: tuple[Event, ...] = NIGHT_DEFAULTS
    since: str = ""
    """ISO 8601, UTC: nights that ended before are not told by these events any more; empty for all."""


class Outbox:
    """The notices of a home; safe from threads and processes, holds nothing open."""

    def __init__(self, home: Path) -> None:
        self._folder = home / FOLDER
        self._documents = Documents(home, scratch=f"{FOLDER}/.tmp")
        self._unrecorded: set[tuple[str, str]] = set()

    def recipients(self) -> Recipients:
        """Return whom to tell. Raises `StoreError` when that cannot be read, as by anybody but the home's owner."""
        return self._documents.find(f"{FOLDER}/recipients", Recipients) or Recipients()

    def put_recipients(self, recipients: Recipients) -> None:
        """Write whom to tell from now on, for this user alone. Raises `StoreError`."""
        path = self._documents.path(f"{FOLDER}/recipients")
        with durable.store_errors(path, "be written"):
            durable.make_folder(self._folder)
            temporary = durable.temporary_path(self._folder, ".new")
            with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(encode(recipients))
                file.flush()
                durable.sync(file.fileno())
            temporary.replace(path)
            durable.sync_path(self._folder)

    def set_targets(self, targets: tuple[Target, ...] | None, events: tuple[Event, ...] | None) -> None:
        """Change whom to tell, or of what; None leaves it as it was. Raises `StoreError`."""
        known = changed = self.recipients()
        if targets is not None:
            since = {each.target.address: each.since for each in known.recipients}
            recipients = tuple(
                Recipient(target=target, since=since.get(target.address, clock_now())) for target in targets
            )
            changed = known.replace(recipients=recipients)
        if events is not None:
            changed = changed.replace(events=events)
        if changed.events != known.events or not known.recipients:
            changed = changed.replace(since=clock_now())
        self.put_recipients(changed)
        for gone in set(known.recipients) - set(changed.recipients):
            with suppress(OSError):
                self._documents.path(f"{FOLDER}/last/{gone.name}").unlink()

    def has(self, moment: datetime, what: str) -> bool:
        """Tell whether there is a notice of something at a moment."""
        return self._documents.exists(f"{FOLDER}/{_key(moment, what)}/notice")

    def publish(self, moment: datetime, what: str, notice: Notice) -> bool:
        """Write a notice to be delivered, unless there is one of the same thing at the same moment."""
        return self._documents.publish(f"{FOLDER}/{_key(moment, what)}/notice", notice)

    def newest(self, what: str, now: datetime) -> datetime | None:
        """Return the moment of the newest notice of a thing, those to come left out."""
        moments = (moment for moment, _ in self._keys(what) if moment <= now)
        return next(moments, None)

    def last_deliveries(self) -> list[Delivery]:
        """Return the last delivery to each recipient, newest first. Raises `StoreError`."""
        names = self._documents.names(f"{FOLDER}/last")
        found = [delivery for name in names if (delivery := self._delivery(name)) is not None]
        return sorted(found, key=lambda delivery: delivery.at, reverse=True)

    def last_delivery(self, recipient: Recipient) -> Delivery | None:
        """Return the last delivery to a recipient; None where nothing can be read of one."""
        return self._delivery(f"{FOLDER}/last/{recipient.name}")

    def record(self, recipient: Recipient, delivery: Delivery) -> None:
        """Write down the last delivery to a recipient."""
        self._documents.replace(f"{FOLDER}/last/{recipient.name}", delivery)

    def deliver_pending(self, recipient: Recipient, now: datetime) -> list[Delivery]:
        """Deliver to a recipient what nobody else delivers just now, and return what came of it.

        At most until the first failure: it is tried again later. Raises `StoreError`.
        """
        found: list[Delivery] = []
        if not self._folder.is_dir():
            return found
        with _lock(self._folder / f".lock-{recipient.name}") as is_held:
            for key, notice in self._recent(now) if is_held else ():
                if found and found[-1].state == "failed":
                    break
                if _is_meant(recipient, notice, now) and self._is_due(recipient, key, now):
                    found.append(self._deliver(recipient, key, notice))
        return found

    def _is_due(self, recipient: Recipient, key: str, now: datetime) -> bool:
        """Tell whether a notice has to be delivered to a recipient now, for the first time or again."""
        known = self._delivery(f"{FOLDER}/{key}/to-{recipient.name}")
        if known is None:
            return (key, recipient.name) not in self._unrecorded
        passed_s = (now - datetime.fromisoformat(known.at)).total_seconds()
        return known.state == "failed" and not 0 <= passed_s < AGAIN_S * 2.0 ** (known.rounds - 1)

    def _deliver(self, recipient: Recipient, key: str, notice: Notice) -> Delivery:
        name = f"{FOLDER}/{key}/to-{recipient.name}"
        known = self._delivery(name)
        delivery = deliver(recipient.target, notice).replace(rounds=1 if known is None else known.rounds + 1)
        if delivery.state == "failed":
            log.warning("notice of %s to %s was not delivered: %s", notice.event, delivery.target, delivery.reason)
        try:
            self._documents.replace(name, delivery)
            self.record(recipient, delivery)
        except StoreError as error:  # a full disk is told of all the same, and not again and again
            self._unrecorded.add((key, recipient.name))
            log.warning("%s", error)
        return delivery

    def prune(self, now: datetime) -> None:
        """Remove what was told long ago, but for the newest."""
        for moment, name in self._keys()[KEPT_NOTICES:]:
            if moment < now - KEPT:
                shutil.rmtree(self._folder / name, ignore_errors=True)

    def _recent(self, now: datetime) -> list[tuple[str, Notice]]:
        """Return the notices that are young enough to be delivered, oldest first."""
        found = []
        # A night may have been due days before there is anything to tell of it.
        for moment, name in self._keys():
            if moment < now - KEPT:
                break
            notice = self._notice(f"{FOLDER}/{name}/notice")
            if notice is not None and datetime.fromisoformat(notice.time) >= now - OLDEST:
                found.append((name, notice))
        return sorted(found, key=lambda each: each[1].time)

    def _notice(self, name: str) -> Notice | None:
        """Return a notice; one that is damaged is removed, so that it is written anew if it is still of use."""
        try:
            return self._documents.find(name, Notice)
        except StoreError as error:
            log.warning("%s", error)
            if isinstance(error.__cause__, ValueError | RecursionError):
                with suppress(OSError):
                    self._documents.path(name).unlink()
            return None

    def _delivery(self, name: str) -> Delivery | None:
        """Return what came of a delivery, or None where nothing can be read of one: rather told twice than not."""
        try:
            return self._documents.find(name, Delivery)
        except StoreError:
            return None

    def _keys(self, what: str | None = None) -> list[tuple[datetime, str]]:
        """Return the moments and names of all notices, or those of a thing, newest first."""
        names = durable.names_in(self._folder) if self._folder.is_dir() else []
        matches = [match for match in map(_NAME.fullmatch, names) if match and what in {None, match[2]}]
        found = [(datetime.strptime(match[1], _KEY).replace(tzinfo=UTC), match[0]) for match in matches]
        return sorted(found, reverse=True)


def last_deliveries(home: Path) -> list[Delivery]:
    """Return the last delivery to each recipient, newest first; none where they cannot be read."""
    try:
        return Outbox(home).last_deliveries()
    except StoreError:
        return []


def _key(moment: datetime, what: str) -> str:
    return f"{moment.astimezone(UTC).strftime(_KEY)}-{what}"


def _is_meant(recipient: Recipient, notice: Notice, now: datetime) -> bool:
    """Tell whether a recipient is told of a notice; one that a clock wrote that was ahead is told of all."""
    since = datetime.fromisoformat(recipient.since)
    return since > now or datetime.fromisoformat(notice.time) >= since


@contextmanager
def _lock(path: Path) -> Iterator[bool]:
    """Hold a lock if nobody else does, and tell whether it is held; where there can be none, it counts as held."""
    with ExitStack() as stack:
        is_held = True
        try:
            fcntl.flock(stack.enter_context(path.open("a")), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            is_held = False
        except OSError:
            pass  # a full disk, or a network file system without locks: what two deliver at once comes twice
        yield is_held
