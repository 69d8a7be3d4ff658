"""How many types: counting parameters, criteria, fit statistics, simulation, and the likelihood-ratio test."""

import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import electjax
from electjax.data.errors import ElectionDataError
from electjax.numerics.host import double_precision
from electjax.voter_types.em.bootstrap import judge, ratio_test, split_type
from electjax.voter_types.em.em_map import objective_of
from electjax.voter_types.em.mixture import (
    LOG_ZERO,
    Types,
    count_parameters,
    criteria,
    disorder,
    log_likelihood,
    match_types,
    order_by_share,
    reorder,
    row_posterior,
    sample_shares,
)
from electjax.voter_types.em.residuals import bootstrap_fit, bootstrap_p, pair_fit, table_fit
from electjax.voter_types.em.rows import NOTHING, Profiles, collapse, lay_out
from electjax.voter_types.em.runs import best_fits, random_types
from electjax.voter_types.em.simulate import expand, one_set, simulate_choices, simulate_profiles, stack_rows
from tests.data_paths import shared

MENUS = np.array([[0, 0, 0], [1, 1, 0], [1, 0, 1], [1, 1, 1]], bool)
value_of = jax.jit(log_likelihood)
disorder_of = jax.jit(disorder)
penalised_of = jax.jit(objective_of)


@pytest.fixture(autouse=True)
def _double():
    with double_precision():
        yield


def some_types(seed: int, types: int, offices: int, options: int = 3, *, columns: int = 1, features: int = 0) -> Types:
    """Parameters at random."""
    rng = np.random.default_rng(seed)
    mu = rng.dirichlet(np.ones(options), (types, offices))
    gamma = rng.normal(size=(columns, types))
    gamma = gamma - gamma[:, :1] if columns > 1 else np.log(rng.dirichlet(5 * np.ones(types)))[None]
    return Types(jnp.asarray(gamma), jnp.log(mu), jnp.asarray(rng.normal(size=(types, features))))


def some_ballots(seed: int, voters: int, offices: int = 3, *, missing: float = 0.2, columns: int = 2) -> Profiles:
    """Ballots with menus, missing votes and a covariate of two values, drawn from two types."""
    rng = np.random.default_rng(seed)
    context = rng.integers(0, 4, (voters, offices))
    context = np.where(context == 0, NOTHING, context)
    design = np.column_stack([np.ones(voters), rng.integers(0, 2, (voters, columns - 1))])
    mask = np.tile(MENUS, (offices, 1, 1))
    choice, _ = simulate_choices(
        jax.random.key(seed), some_types(seed, 2, offices, columns=columns), context, mask, design=design
    )
    choice = np.where(rng.random(choice.shape) < missing, -1, choice)
    return collapse(choice, context, mask, covariates=design[:, 1:])[0]


def plain(choice: np.ndarray) -> Profiles:
    """Ballots without menus; offices may differ in their options."""
    most = choice.max(axis=0) + 1
    mask = (np.arange(most.max()) < most[:, None])[:, None]
    return collapse(choice, np.zeros_like(choice), mask)[0]


def published(name: str) -> Profiles:
    """The complete rows of a reference data set."""
    return plain(pd.read_csv(shared(f"data/ballots/{name}_int.csv")).dropna().to_numpy(int) - 1)


def fit(profiles: Profiles, types: int, *, starts: int = 20) -> tuple[Types, float]:
    """The best of some starts, and its log-likelihood."""
    rows = stack_rows([profiles], len(profiles.code))
    like = some_types(0, types, *profiles.mask.shape[::2], columns=profiles.design.shape[1])
    rng = np.random.default_rng(types)
    begun = [random_types(rng, like, rows) for _ in range(starts)]
    found = best_fits(begun, rows, tolerance=1e-12, max_maps=3000, ridge=0.0)
    return jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), found.types), float(found.objective[0])


def one_type(profiles: Profiles) -> Types:
    """The maximum with one type, without menus: shares of the votes."""
    votes = np.stack([np.bincount(column, profiles.weight, profiles.mask.shape[2]) for column in profiles.code.T])
    log_mu = np.log(np.maximum(votes / votes.sum(-1, keepdims=True), np.exp(LOG_ZERO)))
    return Types(jnp.zeros((1, 1)), jnp.asarray(log_mu[None]), jnp.zeros((1, 0)))


# ----------------------------------------------------------------------------------------------- likelihood


def test_log_likelihood_is_that_of_all_assignments_of_voters_to_types():
    profiles, types = some_ballots(4, 6, missing=0.1), some_types(9, 2, 3, columns=2)
    voters = expand(profiles)
    mu, pi = np.exp(types.log_mu), np.asarray(jax.nn.softmax(profiles.design @ types.gamma, axis=-1))
    cell = np.repeat(profiles.code, profiles.voters, axis=0)

    def chance(i, k):
        found = pi[voters.group[i], k]
        for j, code in enumerate(cell[i]):
            if code != NOTHING:
                menu, option = divmod(int(code), 3)
                found *= mu[k, j, option] / mu[k, j, MENUS[menu]].sum()
        return found

    whole = sum(
        np.prod([chance(i, k) for i, k in enumerate(held)]) for held in itertools.product(range(2), repeat=len(cell))
    )
    assert float(value_of(types, lay_out(profiles))) == pytest.approx(np.log(whole), abs=1e-11)


# -------------------------------------------------------------------------------------------------- matching


@pytest.mark.parametrize("columns", [1, 3])
def test_types_in_another_order_are_matched_and_mean_the_same(columns):
    types = some_types(1, 8, 5, columns=columns)
    order = np.random.default_rng(2).permutation(8)
    mixed = reorder(types, order)
    back = match_types(mixed, types)
    assert order[back].tolist() == list(range(8))
    for old, new in zip(types, reorder(mixed, back), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-12)
    assert columns == 1 or np.allclose(mixed.gamma[:, 0], 0)


def test_matching_survives_noise_and_keeps_types_without_a_partner():
    types = some_types(3, 6, 9)
    rng = np.random.default_rng(0)
    noisy = types._replace(log_mu=types.log_mu + 0.1 * rng.normal(size=types.log_mu.shape))
    few = reorder(types, np.array([4, 1]))
    assert match_types(noisy, few).tolist() == [4, 1, 0, 2, 3, 5]


def test_order_by_share_uses_the_average_over_voters():
    profiles = some_ballots(5, 60)
    types = some_types(6, 4, 3, columns=2)
    ordered = order_by_share(types, profiles)
    shares = sample_shares(ordered, profiles)
    assert (np.diff(shares) <= 0).all()
    assert shares.sum() == pytest.approx(1)
    rows = lay_out(profiles)
    assert float(value_of(ordered, rows)) == pytest.approx(float(value_of(types, rows)), abs=1e-9)


# ------------------------------------------------------------------------------------------------ simulation


def test_simulated_votes_have_the_moments_of_the_model_and_keep_to_the_menus():
    voters, offices = 40_000, 3
    rng = np.random.default_rng(7)
    types = some_types(8, 3, offices, columns=2, features=1)
    types = types._replace(log_mu=types.log_mu.at[0, 0, 1].set(LOG_ZERO))
    context = rng.integers(-1, 4, (voters, offices))
    context = np.where(context == 0, -1, context)
    mask = np.tile(MENUS, (offices, 1, 1))
    x = rng.normal(size=(*mask.shape, 1))
    design = np.array([[1.0, -1.0], [1.0, 2.0]])
    group = rng.integers(0, 2, voters)
    choice, own = simulate_choices(jax.random.key(1), types, context, mask, x=x, design=design, group=group)

    assert ((choice == -1) == (context < 0)).all()
    assert mask[np.arange(offices), context, choice][context >= 0].all()
    assert not (choice[own == 0, 0] == 1).any()
    pi = np.asarray(jax.nn.softmax(design @ np.asarray(types.gamma), axis=-1))
    z = []
    for g, k in itertools.product(range(2), range(3)):
        here, p = group == g, pi[g, k]
        z.append(((own[here] == k).mean() - p) / np.sqrt(p * (1 - p) / here.sum()))
    psi = np.asarray(types.log_mu)[:, :, None] + np.einsum("jsoq,kq->kjso", x, np.asarray(types.delta))
    mu = np.where(mask, np.exp(psi), 0)
    mu /= np.maximum(mu.sum(-1, keepdims=True), 1e-300)
    for k, j, s, o in itertools.product(range(3), range(offices), (1, 2, 3), range(3)):
        here, p = (own == k) & (context[:, j] == s), mu[k, j, s, o]
        if 1e-6 < p < 1 - 1e-6:
            z.append(((choice[here, j] == o).mean() - p) / np.sqrt(p * (1 - p) / here.sum()))
    assert np.abs(z).max() < 4
    assert np.std(z) == pytest.approx(1, abs=4 / np.sqrt(2 * len(z)))
    # offices are independent given the type
    here = (own == 1) & (context[:, 1] == 3) & (context[:, 2] == 3)
    table = np.zeros((3, 3))
    np.add.at(table, (choice[here, 1], choice[here, 2]), 1)
    assert stats.chi2_contingency(table).pvalue > 1e-4


def test_a_voters_votes_depend_on_the_voters_number_alone():
    types, mask = some_types(2, 3, 4), np.ones((4, 1, 3), bool)
    context = np.zeros((500, 4), int)
    whole, own = simulate_choices(jax.random.key(5), types, context, mask)
    tail, own_tail = simulate_choices(jax.random.key(5), types, context[300:], mask, first=300)
    np.testing.assert_array_equal(tail, whole[300:])
    np.testing.assert_array_equal(own_tail, own[300:])
    assert whole.dtype == np.int8


def test_replicates_keep_the_menus_missing_votes_covariates_and_weights_of_the_voters():
    profiles = some_ballots(11, 300)
    profiles = profiles._replace(weight=profiles.voters * (1.5 + profiles.group))
    new = simulate_profiles(jax.random.key(0), some_types(3, 2, 3, columns=2), profiles, expand(profiles))

    def by_menu(each):
        context = np.where(each.code == NOTHING, NOTHING, each.code // 3)
        keys = pd.DataFrame(np.column_stack([context, each.design[each.group]]))
        return keys.assign(w=each.weight, n=each.voters).groupby(list(range(5))).sum()

    pd.testing.assert_frame_equal(by_menu(new), by_menu(profiles))
    assert not np.array_equal(new.code, profiles.code)


# ---------------------------------------------------------------------------------------- parameters, criteria


def test_parameters_by_hand():
    choice = np.array([[0, 0, 0], [1, 2, 0], [0, 1, 0], [1, 0, 0]])
    mask = np.ones((3, 1, 4), bool)
    mask[2, 0, 1:] = False  # one candidate
    profiles = collapse(choice, np.zeros_like(choice), mask)[0]
    # nobody chose option 3 of any office, nor option 2 of the first: 1 + 2 + 0 per type
    assert count_parameters(profiles, 1) == 3
    assert count_parameters(profiles, 4) == 4 * 3 + 3
    assert count_parameters(profiles, 2, common=True) == 2 * 2 + 1
    with_covariates = profiles._replace(design=np.ones((1, 5)), x=np.zeros((3, 1, 4, 2)))
    assert count_parameters(with_covariates, 3) == 3 * (3 + 2) + 2 * 5


def test_options_that_no_menu_links_have_intercepts_of_their_own():
    # options 0, 1 against each other, and 2, 3 in other precincts: two parameters less than options
    mask = np.array([[[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 0, 1]]], bool)
    context = np.array([[0], [0], [1], [1]])
    apart = collapse(np.array([[0], [1], [2], [3]]), context, mask)[0]
    assert count_parameters(apart, 1) == 2
    linked = collapse(np.array([[0], [1], [2], [3], [3]]), np.vstack([context, [[2]]]), mask)[0]
    assert count_parameters(linked, 1) == 3


def test_criteria_by_hand():
    found = criteria(-100.0, 7, 50.0, 4.0, 3)
    assert found.aic == pytest.approx(214)
    assert found.bic == pytest.approx(200 + 7 * np.log(50))
    assert found.caic == pytest.approx(found.bic + 7)
    assert found.sabic == pytest.approx(200 + 7 * np.log(52 / 24))
    assert found.icl == pytest.approx(found.bic + 8)
    assert found.entropy == pytest.approx(1 - 4 / (50 * np.log(3)))


def test_disorder_is_the_entropy_of_the_posterior_in_both_layouts():
    profiles, types = some_ballots(12, 200), some_types(13, 3, 3, columns=2)
    zeta = np.asarray(row_posterior(types, lay_out(profiles)))
    direct = -(profiles.weight * (zeta * np.log(zeta)).sum(1)).sum()
    for layout in ("dense", "blocks"):
        assert float(disorder_of(types, lay_out(profiles, layout=layout, chunk=64))) == pytest.approx(direct, rel=1e-12)


# ------------------------------------------------------------------------------------------------- residuals


@pytest.mark.parametrize(
    ("types", "parameters", "g2", "x2"),
    [(2, 15, 62.36543, 92.64814), pytest.param(3, 23, 15.26171, 20.50336, marks=pytest.mark.slow)],
)
def test_carcinoma_as_polca_prints_it(types, parameters, g2, x2):
    profiles = published("carcinoma")
    found, best = fit(profiles, types)
    rows = lay_out(profiles)
    table = table_fit(found, profiles, rows, parameters)
    assert count_parameters(profiles, types) == parameters
    assert (table.g2, table.x2) == (pytest.approx(g2, abs=2e-4), pytest.approx(x2, abs=2e-4))
    assert table.df == 2**7 - 1 - parameters
    own = criteria(best, parameters, profiles.weight.sum(), float(disorder_of(found, rows)), types)
    if types == 2:
        assert (own.aic, own.bic) == (pytest.approx(664.5137, abs=1e-4), pytest.approx(706.0739, abs=1e-4))


def test_gss82_three_types_leave_fifteen_degrees_of_freedom_and_little_in_the_pairs():
    profiles = published("gss82")
    found, best = fit(profiles, 3, starts=40)
    table, pairs = table_fit(found, profiles, lay_out(profiles), 20), pair_fit(found, profiles)
    one = one_type(profiles)
    assert count_parameters(profiles, 3) == 20
    assert best == pytest.approx(-2754.5454, abs=1e-4)
    assert table.df == 15
    assert np.nanmax(pairs.residual) < 4
    assert np.nanmax(pair_fit(one, profiles).residual) > 40


def test_whole_ballots_against_a_sum_over_all_ballots():
    """Menus, missing votes and covariates: every group of voters is a table of its own."""
    profiles, types = some_ballots(14, 400), some_types(15, 2, 3, columns=2)
    table = table_fit(types, profiles, lay_out(profiles), 0)
    mu, pi = np.exp(types.log_mu), np.asarray(jax.nn.softmax(profiles.design @ types.gamma, axis=-1))
    context = np.where(profiles.code == NOTHING, NOTHING, profiles.code // 3)
    option = np.where(profiles.code == NOTHING, 0, profiles.code % 3)
    g2 = x2 = df = 0.0
    groups = pd.DataFrame(np.column_stack([context, profiles.group])).groupby([0, 1, 2, 3]).indices
    for (*held, g), members in groups.items():
        size = profiles.weight[members].sum()
        counts = {tuple(option[u]): profiles.weight[u] for u in members}
        allowed = [np.flatnonzero(MENUS[s]) if s != NOTHING else [0] for s in held]
        for ballot in itertools.product(*allowed):
            chance = pi[g].copy()
            for j, (o, s) in enumerate(zip(ballot, held, strict=True)):
                if s != NOTHING:
                    chance *= mu[:, j, o] / mu[:, j, MENUS[s]].sum(-1)
            n, e = counts.get(tuple(map(int, ballot)), 0.0), size * chance.sum()
            g2 += 2 * n * np.log(n / e) if n else 0.0
            x2 += (n - e) ** 2 / e
            df += 1
        df -= 1
    assert (table.g2, table.x2) == (pytest.approx(g2, rel=1e-10), pytest.approx(x2, rel=1e-10))
    assert (table.df, table.tables) == (df, len(groups))


def test_pairs_against_loops_over_voters():
    profiles, types = some_ballots(16, 300), some_types(17, 2, 3, columns=2)
    found = pair_fit(types, profiles)
    mu, pi = np.exp(types.log_mu), np.asarray(jax.nn.softmax(profiles.design @ types.gamma, axis=-1))
    mu = np.where(MENUS, mu[:, :, None], 0)
    mu = mu / np.maximum(mu.sum(-1, keepdims=True), 1e-300)  # k, j, menu, option
    for j, h in ((0, 1), (2, 0)):
        observed, expected = np.zeros((4, 4, 3, 3)), np.zeros((4, 4, 3, 3))
        for code, weight, g in zip(profiles.code, profiles.weight, profiles.group, strict=True):
            if code[j] != NOTHING and code[h] != NOTHING:
                (s, o), (t, p) = divmod(int(code[j]), 3), divmod(int(code[h]), 3)
                observed[s, t, o, p] += weight
                expected[s, t] += weight * np.einsum("k,ko,kp->op", pi[g], mu[:, j, s], mu[:, h, t])
        inside = expected > 0
        x2 = ((observed - expected)[inside] ** 2 / expected[inside]).sum()
        assert found.x2[j, h] == pytest.approx(x2, rel=1e-10)
        assert found.df[j, h] == 1 * 4 + 2 * 4 + 4  # menus of two options, of two and three, of three
        np.testing.assert_allclose(found.expected[j, :, h], expected.sum((0, 1)), rtol=1e-10)
        np.testing.assert_allclose(found.observed[j, :, h], observed.sum((0, 1)))
    assert np.isnan(np.diag(found.residual)).all()


def test_with_one_type_a_pair_is_the_usual_test_of_independence():
    rng = np.random.default_rng(3)
    choice = np.column_stack([rng.integers(0, 3, 200), rng.integers(0, 2, 200)])
    choice[:60, 1] = (choice[:60, 0] > 0).astype(int)
    profiles = plain(choice)
    types = one_type(profiles)
    pairs = pair_fit(types, profiles)
    usual = stats.chi2_contingency(pd.crosstab(choice[:, 0], choice[:, 1]), correction=False)
    assert (pairs.x2[0, 1], pairs.df[0, 1]) == (pytest.approx(usual.statistic, rel=1e-8), usual.dof)
    table = table_fit(types, profiles, lay_out(profiles), count_parameters(profiles, 1))
    assert (table.x2, table.df) == (pytest.approx(usual.statistic, rel=1e-8), usual.dof)
    assert table.p_x2 == pytest.approx(usual.pvalue, rel=1e-6)


# ----------------------------------------------------------------------------------- data sets side by side


@pytest.mark.parametrize(("dense", "blocks"), [(1 << 14, None), (0, 3)])
def test_stacked_data_sets_are_the_data_sets_in_both_layouts(dense, blocks, monkeypatch):
    monkeypatch.setattr("electjax.voter_types.em.simulate.DENSE", dense)
    data = [some_ballots(seed, 100) for seed in (20, 21)]
    types = some_types(22, 2, 3, columns=2)
    stacked = stack_rows(data, 96)
    assert blocks == (None if stacked.block is None else stacked.block.shape[2])
    both = [float(value_of(types, one_set(stacked, b))) for b in range(2)]
    alone = [float(value_of(types, lay_out(each, layout="dense"))) for each in data]
    np.testing.assert_allclose(both, alone, rtol=1e-12)


def test_blocks_of_all_joint_patterns_of_several_offices(monkeypatch):
    monkeypatch.setattr("electjax.voter_types.em.simulate.DENSE", 0)
    profiles = two_types(3, 3000, 8)
    types = some_types(23, 2, 8, 2)
    stacked = stack_rows([profiles], 256)
    assert stacked.block.shape == (1, 1, 3, 256)  # three offices of three possible entries each: 27 patterns
    assert float(value_of(types, one_set(stacked, 0))) == pytest.approx(float(value_of(types, lay_out(profiles))))


@pytest.mark.slow
def test_the_best_fit_of_each_data_set_is_better_than_its_starts():
    data = [some_ballots(seed, 100) for seed in (20, 21)]
    types = some_types(22, 2, 3, columns=2)
    fits = best_fits([types] * 6, stack_rows(data, 96), tolerance=1e-9, max_maps=60, ridge=0.5)
    for b, each in enumerate(data):
        own = jax.tree.map(lambda leaf, b=b: jnp.asarray(leaf[b]), fits.types)
        rows = lay_out(each, layout="dense")
        assert fits.objective[b] == pytest.approx(float(penalised_of(own, rows, 0.5)), rel=1e-10)
        assert fits.objective[b] > float(penalised_of(types, rows, 0.5))


def test_a_type_split_in_two_keeps_the_others_and_the_shares():
    types = some_types(1, 3, 4, columns=2)
    more = split_type(np.random.default_rng(0), types)
    design = np.array([[1.0, -0.5], [1.0, 2.0]])
    before, after = (np.asarray(jax.nn.softmax(design @ np.asarray(each.gamma), axis=-1)) for each in (types, more))
    kept = np.isclose(np.asarray(types.log_mu), more.log_mu[:3]).all((1, 2))
    assert kept.sum() == 2
    np.testing.assert_allclose(after[:, :3][:, kept], before[:, kept])
    np.testing.assert_allclose(after[:, 3] + after[:, :3][:, ~kept][:, 0], before[:, ~kept][:, 0])
    np.testing.assert_allclose(np.exp(more.log_mu).sum(-1), 1)


def test_p_values_by_hand():
    ratios = np.array([-3.0, 0.0, 1.0, 2.0, 5.0, 5.0, 9.0, 1.0, 0.5])
    found = judge(5.0, ratios, np.ones((9, 2), bool))
    assert (found.p, found.short) == (pytest.approx(0.4), pytest.approx(1 / 9))
    assert found.p_se == pytest.approx(np.sqrt(0.4 * 0.6 / 10))
    assert found.ratios.min() == 0
    assert bootstrap_p(5.0, ratios) == pytest.approx(0.4)


def two_types(seed: int, voters: int, offices: int = 5) -> Profiles:
    """Binary votes of two types that lean this and that way."""
    rng = np.random.default_rng(seed)
    lean = np.where(rng.random((voters, 1)) < 0.4, 0.8, 0.25)
    return plain((rng.random((voters, offices)) < lean).astype(int))


@pytest.mark.slow  # the verb's test below draws as many data sets
def test_the_ratio_test_finds_a_second_type():
    profiles = two_types(5, 300)
    one, (two, high) = one_type(profiles), fit(profiles, 2)
    ratio = 2 * (high - float(value_of(one, lay_out(profiles))))
    found = ratio_test(jax.random.key(0), one, two, profiles, ratio, replicates=39, starts=4)
    assert found.p == pytest.approx(1 / 40)
    assert found.short == 0
    assert (found.ratios >= 0).all()
    assert found.converged.all()
    assert 4 < found.ratios.mean() < 20 < ratio  # six parameters more


@pytest.mark.slow
def test_bootstrapped_statistics_of_a_true_model_surround_its_own():
    profiles = two_types(6, 300)
    types, _ = fit(profiles, 2)
    drawn = bootstrap_fit(jax.random.key(1), types, profiles, replicates=39)
    own = table_fit(types, profiles, lay_out(profiles), count_parameters(profiles, 2))
    assert own.df == 2**5 - 1 - 11
    # G2 has about its degrees of freedom as its mean, where ballots are not rare
    assert drawn.g2.mean() == pytest.approx(own.df, abs=4 * np.sqrt(2 * own.df / 39) + 2)
    assert 0.02 < bootstrap_p(own.g2, drawn.g2) < 0.98
    one = one_type(profiles)
    pairs = bootstrap_fit(jax.random.key(1), one, profiles, replicates=39).pairs
    wrong = bootstrap_p(pair_fit(one, profiles).x2, pairs)
    assert (wrong[np.triu_indices(5, 1)] == 1 / 40).mean() > 0.5


# ----------------------------------------------------------------------------------------------------- verbs


def as_ballots(profiles: Profiles) -> xr.Dataset:
    """Votes voter by voter, labelled."""
    choice = np.repeat(profiles.code, profiles.voters, axis=0)
    return xr.Dataset(
        {"choice": (("voter", "office"), choice)},
        coords={"office": [f"Question {j + 1}" for j in range(choice.shape[1])]},
        attrs={"name": "two types"},
    )


@pytest.fixture(scope="module")
def two() -> tuple[xr.Dataset, xr.Dataset]:
    """Ballots of two types, and the fit of two."""
    ballots = as_ballots(two_types(5, 300))
    return ballots, electjax.voter_types.fit(ballots, 2, restarts=8)


@pytest.fixture(scope="module")
def chosen(two: tuple[xr.Dataset, xr.Dataset]) -> tuple[xr.Dataset, xr.Dataset, xr.Dataset]:
    """The same, and between them the comparison of one and two types."""
    ballots, fit = two
    return ballots, electjax.voter_types.select(ballots, [2, 1], restarts=8, blrt=39, blrt_starts=4), fit


@pytest.mark.ci
def test_select_types_puts_the_fits_beside_each_other(chosen):
    _, table, found = chosen
    assert table["types"].values.tolist() == [1, 2]
    two = table.sel(types=2)
    for name in ("log_likelihood", "parameters", "aic", "bic", "sabic", "caic", "icl", "awe", "entropy"):
        assert float(two[name]) == pytest.approx(found.attrs[name], rel=1e-7), name
    assert json.loads(table.attrs["best"])["bic"] == 2
    assert float(two["df"]) == 2**5 - 1 - 11
    ratio = 2 * float(table["log_likelihood"][1] - table["log_likelihood"][0])
    assert float(two["blrt_ratio"]) == pytest.approx(ratio)
    assert float(two["blrt_p"]) == pytest.approx(1 / 40)
    assert np.isnan(table["blrt_p"][0])
    assert table["blrt_ratios"].dims == ("types", "replicate")
    assert all("long_name" in table[name].attrs for name in ("g2", "bivariate", "blrt_p"))


@pytest.mark.ci
def test_residuals_types_labels_what_the_arrays_say(chosen):
    ballots, table, found = chosen
    residuals = electjax.voter_types.residuals(found, ballots, replicates=19, seed=1)
    assert float(residuals["g2"]) == pytest.approx(float(table["g2"][1]), rel=1e-6)
    assert float(residuals["profile_expected"].sum()) == pytest.approx(300, rel=1e-6)  # each of the 32 was cast
    pairs = residuals["bivariate"]
    assert float(np.nanmax(pairs)) == pytest.approx(float(table["bivariate"][1]), rel=1e-5)
    assert np.isnan(np.diag(pairs)).all()
    chose = ballots["choice"].sel(office=["Question 1", "Question 3"]).values
    both = residuals["observed"].sel(office="Question 1", office_="Question 3", option=1, option_=0)
    assert float(both) == ((chose[:, 0] == 1) & (chose[:, 1] == 0)).sum()
    assert 0.05 <= float(residuals["g2_p_bootstrap"]) <= 1
    assert residuals["g2_replicate"].sizes == {"replicate": 19}


@pytest.mark.parametrize("kind", ["parametric", pytest.param("nonparametric", marks=pytest.mark.ci)])
def test_bootstrap_types_spreads_as_the_information_says(two, kind):
    ballots, found = two
    drawn = electjax.voter_types.bootstrap(found, ballots, kind=kind, replicates=60, seed=2)
    assert drawn.attrs["replicates_converged"] == 60
    assert drawn["mu"].dims == ("replicate", "type", "office", "option")
    for name in ("pi", "mu"):
        ratio = (drawn[f"{name}_se"] / found[f"{name}_se"]).values.ravel()
        # the standard deviation of 60 draws has a relative error of 9 %, and small samples one of their own
        assert np.abs(np.log(ratio)).max() < np.log(1.6), name
    inside = (drawn["pi_low"] < found["pi"]) & (found["pi"] < drawn["pi_high"])
    assert bool(inside.all())


def test_the_verbs_say_what_is_wrong(two):
    ballots, found = two
    with pytest.raises(ElectionDataError, match="offices are"):
        electjax.voter_types.residuals(found, ballots.isel(office=slice(0, 3)))
    for call, word in (
        (lambda: electjax.voter_types.select(ballots, []), "types="),
        (lambda: electjax.voter_types.select(ballots, [0, 1]), "types="),
        (lambda: electjax.voter_types.select(ballots, [1, 2], blrt=-1), "blrt="),
        (lambda: electjax.voter_types.residuals(found, ballots, replicates=-1), "replicates="),
        (lambda: electjax.voter_types.bootstrap(found, ballots, replicates=1), "replicates="),
        (lambda: electjax.voter_types.bootstrap(found, ballots, kind="jackknife"), "kind="),
    ):
        with pytest.raises(ElectionDataError, match=word) as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_p_values_of_the_ratio_test_are_about_uniform_where_the_smaller_model_is_true():
    sets, replicates = 60, 39
    p, ratios = [], []
    for seed in range(sets):
        profiles = two_types(100 + seed, 200)
        (two, low), (three, high) = (fit(profiles, k) for k in (2, 3))
        found = ratio_test(jax.random.key(seed), two, three, profiles, 2 * (high - low), replicates=replicates)
        p.append(found.p)
        ratios.append((2 * (high - low), found.ratios.mean(), found.short))
    assert stats.kstest(np.array(p) - 0.5 / (replicates + 1), "uniform").pvalue > 1e-3
    # 4 Monte Carlo standard errors about the level, and about the mean
    assert abs(np.mean(np.array(p) <= 0.1) - 0.1) < 4 * np.sqrt(0.1 * 0.9 / sets)
    own, drawn, short = np.array(ratios).T
    assert abs(own.mean() - drawn.mean()) < 4 * np.sqrt((own.var() + drawn.var()) / sets)
    assert short.max() == 0
