"""A delivered classifier: one model or several that vote, in a folder that needs nothing else to predict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np

from pipeline.arrays import Bool, Float32, Float64, Int64
from pipeline.errors import UsageError
from pipeline.features.spec import FeatureRows
from pipeline.learning.models import classic, networks
from pipeline.learning.models.base import TrainedModel
from pipeline.learning.study.findings import AnswerRule
from pipeline.learning.study.trials import TrialSpec
from pipeline.text import printable
from pipeline.wire import Value

CARD_NAME = "classifier.json"
FORMAT = 2
"""Of the cards that are written; cards of lower formats are read too."""


class Member(Value, frozen=True, kw_only=True):
    """One of the models that vote."""

    folder: str
    """The folder of its file, relative to the classifier's folder."""
    features: str
    """Key, with fingerprint, of the feature family it reads."""
    trial: TrialSpec


class ClassifierCard(Value, frozen=True, kw_only=True):
    """The content of `classifier.json`."""

    classes: tuple[str, ...]
    prior: tuple[float, ...]
    """Share of the training tracks in each class: the probabilities of a track without a usable row."""
    members: tuple[Member, ...]
    answering: AnswerRule = AnswerRule()
    """How the mean of the votes becomes an answer."""
    format: int = 1
    """1: without `answering`; 2: with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbabilityTimeline:
    """The class probabilities of one track over time.

    `start_s` (segments,) is where each segment begins, seconds, ascending; `probabilities` (segments, classes). A
    segment is a row of the family with the shortest rows, the mean of its channels.
    """

    start_s: Float64
    probabilities: Float64


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier:
    """A loaded classifier."""

    card: ClassifierCard
    models: tuple[TrainedModel, ...]
    """One per member, in the card's order."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Label names, in the order of the probabilities."""
        return self.card.classes

    @property
    def features(self) -> tuple[str, ...]:
        """Keys of the feature families it reads, without repeats."""
        return tuple(dict.fromkeys(member.features for member in self.card.members))

    def probabilities(self, rows: Mapping[str, Sequence[Float32]]) -> Float64:
        """Return the class probabilities of several tracks, shape (tracks, classes).

        `rows` holds, for each key in `features`, one array (rows, *row_shape) per track. Rows are averaged to tracks,
        members are averaged, and the mean is calibrated by the card's temperature; rows with NaN or infinite values are
        left out.
        """
        votes = [
            _of_tracks(model, rows[member.features], np.array(self.card.prior))
            for model, member in zip(self.models, self.card.members, strict=True)
        ]
        mean: Float64 = np.mean(votes, axis=0)
        usable = np.any([_have_finite_rows(rows[key]) for key in self.features], axis=0)
        # The class shares of a track without a usable row are not calibrated.
        return np.where(usable[:, None], self.card.answering.calibrated(mean), mean)

    def unsure(self, probabilities: Float64) -> Bool:
        """Return for each row of `probabilities` (tracks, classes) whether the answer is "unsure", (tracks,)."""
        return self.card.answering.unsure(probabilities)

    def predict(self, rows: Mapping[str, Sequence[FeatureRows]]) -> tuple[Float64, Bool, list[ProbabilityTimeline]]:
        """Return the class probabilities of several tracks, whether each has a usable row, and each over time.

        First the class probabilities (tracks, classes), as `probabilities` has them; then whether each track has a
        usable row at all (tracks,), as else they are the prior; then the timeline of each.
        `rows` holds, for each key in `features`, the rows of each track.
        """
        prior = np.array(self.card.prior)
        count = len(next(iter(rows.values())))
        by_family = {key: self._row_votes(key, rows[key]) for key in self.features}
        weight = {key: sum(member.features == key for member in self.card.members) for key in self.features}
        votes = [
            mean_by_track(by_row.probabilities, by_row.owner, range(count), prior) * weight[key]
            for key, by_row in by_family.items()
        ]
        usable = np.zeros(count, dtype=np.bool_)
        for by_row in by_family.values():
            usable[by_row.owner] = True
        spans = {key: by_row.spans(count) for key, by_row in by_family.items()}
        timelines = [
            self._timeline([(by_family[key], spans[key][track], weight[key]) for key in by_family], prior)
            for track in range(count)
        ]
        mean = np.sum(votes, axis=0) / len(self.models)
        # The class shares of a track without a usable row are not calibrated.
        return np.where(usable[:, None], self.card.answering.calibrated(mean), mean), usable, timelines

    def _row_votes(self, key: str, rows: Sequence[FeatureRows]) -> "_RowVotes":
        """Return the mean of the probabilities of a family's rows over the members that read the family."""
        owner = np.repeat(np.arange(len(rows)), [len(each) for each in rows])
        if not len(owner):
            nothing = np.zeros((0, len(self.classes)))
            return _RowVotes(probabilities=nothing, owner=owner, start_s=np.zeros(0))
        x = np.concatenate([each.values for each in rows if len(each)])
        # The start of imported rows is unknown: NaN.
        start_s = np.nan_to_num(np.concatenate([each.start_s for each in rows if len(each)]).astype(np.float64))
        sound = np.isfinite(x.reshape(len(x), -1)).all(axis=1)
        if not sound.all():
            x, owner, start_s = x[sound], owner[sound], start_s[sound]
        pairs = zip(self.models, self.card.members, strict=True)
        models = [model for model, member in pairs if member.features == key]
        mean = np.mean([model.probabilities(x) for model in models], axis=0)
        return _RowVotes(probabilities=mean, owner=owner, start_s=start_s)

    def _timeline(self, parts: "Sequence[tuple[_RowVotes, slice, int]]", prior: Float64) -> ProbabilityTimeline:
        """Return the timeline of one track from each family's rows and the weight of its members."""
        segments = [(*by_row.segments(span), weight) for by_row, span, weight in parts]
        grid = max((starts for starts, _, _ in segments), key=len)
        total = np.zeros((len(grid), len(prior)))
        for starts, probabilities, weight in segments:
            if len(starts):
                at = np.clip(np.searchsorted(starts, grid, side="right") - 1, 0, None)
                total += weight * probabilities[at]
            else:
                total += weight * prior
        return ProbabilityTimeline(start_s=grid, probabilities=self.card.answering.calibrated(total / len(self.models)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _RowVotes:
    """The votes on one family's rows, track by track: `probabilities` (rows, classes), `owner`, `start_s` (rows,)."""

    probabilities: Float64
    owner: Int64
    start_s: Float64

    def spans(self, tracks: int) -> list[slice]:
        """Return where the rows of each track are."""
        limits = np.searchsorted(self.owner, np.arange(tracks + 1)).tolist()
        return [slice(begin, end) for begin, end in pairwise(limits)]

    def segments(self, span: slice) -> tuple[Float64, Float64]:
        """Return the starts of a track's rows, ascending and without repeats, and the mean probabilities at each."""
        starts, number = np.unique(self.start_s[span], return_inverse=True)
        if len(starts) == len(number):
            return starts, self.probabilities[span][np.argsort(number)]
        sums = np.zeros((len(starts), self.probabilities.shape[1]))
        np.add.at(sums, number, self.probabilities[span])
        return starts, sums / np.bincount(number)[:, None]


def save_classifier(card: ClassifierCard, folder: Path) -> None:
    """Write the card beside the members' files; the members saved themselves."""
    text = msgspec.json.format(msgspec.json.encode(card.replace(format=FORMAT).to_wire()), indent=2)
    (folder / CARD_NAME).write_bytes(text + b"\n")


def load_model(folder: Path) -> Classifier:
    """Return the classifier saved in a folder; raises `UsageError` when there is none or it is damaged."""
    name = printable(str(folder))
    try:
        wire = msgspec.json.decode((folder / CARD_NAME).read_bytes())
    except OSError as error:
        raise UsageError(f"model {name}: no {CARD_NAME} in it; name the folder of a registered model") from error
    except msgspec.DecodeError as error:
        raise UsageError(f"model {name}: {CARD_NAME} is not valid JSON ({error}); train again") from error
    version = wire.get("format", 1) if isinstance(wire, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise UsageError(
            f"model {name}: {CARD_NAME} is of format {version}, this chordal reads up to {FORMAT}; use the chordal "
            "that trained it, or a newer one"
        )
    card = ClassifierCard.from_wire(wire)
    return Classifier(card=card, models=tuple(load_member(folder / member.folder) for member in card.members))


def mean_by_track(row_probabilities: Float64, owner: Int64, tracks: Sequence[int], prior: Float64) -> Float64:
    """Return the mean of the rows of each track, shape (tracks, classes); `prior` for a track without rows."""
    tracks_array = np.asarray(tracks, dtype=np.int64)
    order = np.argsort(tracks_array, kind="stable")
    at = order[np.searchsorted(tracks_array, owner, sorter=order)]
    sums = np.zeros((len(tracks_array), row_probabilities.shape[1]))
    np.add.at(sums, at, row_probabilities)
    counts = np.bincount(at, minlength=len(tracks_array))[:, None]
    return np.where(counts > 0, sums / np.maximum(counts, 1), prior)


def _of_tracks(model: TrainedModel, per_track: Sequence[Float32], prior: Float64) -> Float64:
    """Return one member's probabilities of each track."""
    owner = np.repeat(np.arange(len(per_track)), [len(rows) for rows in per_track])
    if not len(owner):
        return np.tile(prior, (len(per_track), 1))
    x = np.concatenate([rows for rows in per_track if len(rows)])
    sound = np.isfinite(x.reshape(len(x), -1)).all(axis=1)
    if not sound.any():
        return np.tile(prior, (len(per_track), 1))
    return mean_by_track(model.probabilities(x[sound]), owner[sound], range(len(per_track)), prior)


def _have_finite_rows(per_track: Sequence[Float32]) -> Bool:
    """Return which tracks have a row without NaN or infinite values, shape (tracks,)."""
    return np.array([any(np.isfinite(row).all() for row in rows) for rows in per_track], np.bool_)


def load_member(folder: Path) -> TrainedModel:
    """Return the model whose file lies in a folder."""
    if (folder / networks.FILE_NAME).is_file():
        return networks.load_network(folder)
    if (folder / classic.FILE_NAME).is_file():
        return classic.load_classic(folder)
    raise UsageError(f"model {printable(str(folder))}: its file is gone; train again")
