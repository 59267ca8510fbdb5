"""The recipe in a report can be copied into a file and used."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.plans.augmentation import AugmentPlan, RowAugmentation
from pipeline.plans.recipe import ModelChoice, Recipe, parse_recipe
from pipeline.plans.recipe_toml import recipe_toml
from pipeline.plans.search import SearchPlan
from pipeline.plans.split import SplitPlan

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = st.one_of(st.booleans(), st.integers(-(2**31), 2**31), st.floats(allow_nan=False), TEXT)
MODELS = st.builds(
    ModelChoice,
    family=TEXT,
    features=TEXT,
    fixed=st.dictionaries(TEXT.filter(bool), SCALARS, max_size=3),
    augment=st.none() | st.builds(RowAugmentation, copies=st.integers(1, 3), noise_sd=st.floats(0.1, 1)),
)
RECIPES = st.builds(
    Recipe,
    name=TEXT,
    title=TEXT,
    models=st.lists(MODELS, min_size=1, max_size=3).map(tuple),
    features=st.lists(TEXT, max_size=3).map(tuple),
    split=st.builds(SplitPlan, strategy=st.sampled_from(["auto", "folds", "grouped"])),
    search=st.builds(SearchPlan, trials=st.integers(3, 99), refit=st.booleans()),
    augment=st.none() | st.builds(AugmentPlan, copies=st.integers(1, 3), gain_db=st.just((-6.0, 6.5))),
)


@given(RECIPES)
def test_a_recipe_written_as_toml_reads_back_equal(recipe):
    assert parse_recipe(recipe_toml(recipe), "the report") == recipe
