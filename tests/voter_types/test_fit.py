"""What the verb promises whatever the data: any start, few starts, any units of the covariates, clear refusals."""

import json
import warnings

import numpy as np
import pytest
import xarray as xr

import electjax

SHARES = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])


def drawn(voters=300, offices=4, seed=0):
    """Two types, and a covariate that tells something about who is which."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=voters)
    own = (rng.uniform(size=voters) < 1 / (1 + np.exp(-z))).astype(int)
    choice = (rng.uniform(size=(voters, offices, 1)) > SHARES[own].cumsum(-1)[:, None]).sum(-1)
    return choice, z


def ballots_of(choice, z=None):
    data = xr.Dataset({"choice": (("voter", "office"), choice)})
    return data if z is None else data.assign(covariate=(("voter", "term"), z[:, None]), term=["age"])


def fit(ballots, types=2, **how):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return electjax.voter_types.fit(ballots, types, **({"restarts": 8} | how))


@pytest.fixture(scope="module")
def best():
    return fit(ballots_of(drawn()[0]), 3, restarts=30)


@pytest.mark.parametrize("start", [pytest.param("votes", marks=pytest.mark.ci), "kmeans"])
def test_every_start_reaches_the_same_maximum(best, start):
    found = fit(ballots_of(drawn()[0]), 3, restarts=30, start=start, errors="none")
    assert found.attrs["log_likelihood"] == pytest.approx(best.attrs["log_likelihood"], abs=1e-6)


@pytest.mark.ci
def test_few_starts_may_be_followed_by_moves(best):
    """With eight starts the compiled program has few places, and moves need many."""
    found = fit(ballots_of(drawn()[0]), 4, errors="none")
    assert found.attrs["moves"] > 0
    assert found.attrs["log_likelihood"] > best.attrs["log_likelihood"]


def test_units_of_a_covariate_do_not_matter():
    choice, z = drawn()
    plain = fit(ballots_of(choice, z))
    for shift, scale in ((1e6, 1e3), (2000.0, 1e-3)):
        other = fit(ballots_of(choice, shift + scale * z))
        assert other.attrs["log_likelihood"] == pytest.approx(plain.attrs["log_likelihood"], abs=1e-5)
        for name in ("gamma", "gamma_se"):
            slope = other[name].values[1, 1] * scale
            assert slope == pytest.approx(plain[name].values[1, 1], rel=1e-4), name
        at_zero = other["gamma"].values[0, 1] + shift * other["gamma"].values[1, 1]
        assert at_zero == pytest.approx(plain["gamma"].values[0, 1], abs=1e-3)


def test_covariance_of_theta_is_that_of_the_standard_errors():
    choice, z = drawn()
    found = fit(ballots_of(choice, 50 + 10 * z))
    names = found["theta_name"].values.tolist()
    error = np.sqrt(np.diag(found["theta_covariance"].values))
    for row, term in enumerate(("intercept", "age")):
        own = error[names.index(f"gamma[{term}, 2]")]
        assert own == pytest.approx(found["gamma_se"].values[row, 1], rel=1e-6)


@pytest.mark.ci
def test_a_fit_is_a_start_and_a_reference(best):
    ballots = ballots_of(drawn()[0])
    again = fit(ballots, 3, initial=best)
    assert again.attrs["log_likelihood"] == pytest.approx(best.attrs["log_likelihood"], abs=1e-8)
    assert again.sizes["start"] == 1
    turned = best.isel(type=[2, 0, 1])
    like = fit(ballots, 3, restarts=30, reference=turned, errors="none")
    np.testing.assert_allclose(like["mu"].values, turned["mu"].values, atol=1e-4)


@pytest.mark.ci
def test_more_types_than_the_data_can_bear_are_told():
    found = fit(ballots_of(drawn()[0][:3]), 3)
    assert np.isfinite(found.attrs["log_likelihood"])
    assert found.attrs["verdict"] == "not usable"
    assert any("distinct rows" in reason for reason in json.loads(found.attrs["verdict_reasons"]))


@pytest.mark.parametrize(
    ("how", "word"),
    [
        ({"types": 0}, "types"),
        ({"types": 2.5}, "types"),
        ({"restarts": 0}, "restarts"),
        ({"max_maps": 0}, "max_maps"),
        ({"level": 2}, "level"),
        ({"prune": 0}, "prune"),
        ({"start": "anywhere"}, "start"),
        ({"errors": "many"}, "errors"),
        ({"errors": "cluster"}, "cluster"),
    ],
)
def test_an_argument_out_of_range_is_one_line(how, word):
    with pytest.raises(electjax.ElectionDataError, match=word) as caught:
        fit(ballots_of(drawn()[0]), **how)
    assert "\n" not in str(caught.value)


def test_a_start_of_another_size_is_refused(best):
    with pytest.raises(electjax.ElectionDataError, match="a fit of 3 types"):
        fit(ballots_of(drawn()[0]), 2, initial=best)


@pytest.mark.ci
def test_clusters_of_a_file_count_as_those_of_a_dataset(tmp_path):
    ballots = ballots_of(drawn()[0]).assign(cluster=("voter", np.arange(300) % 60))
    path = electjax.voter_types.save(ballots, tmp_path / "ballots.nc")
    held, read = fit(ballots), fit(path)
    assert held.attrs["errors"] == read.attrs["errors"] == "cluster"
    np.testing.assert_allclose(read["mu_se"].values, held["mu_se"].values)
    sources = {"held": ballots, "read": path, "alone": ballots.drop_vars("cluster")}
    moved = {name: electjax.voter_types.bootstrap(held, source, replicates=2) for name, source in sources.items()}
    np.testing.assert_allclose(moved["read"]["mu"].values, moved["held"]["mu"].values)
    assert not np.allclose(moved["alone"]["mu"].values, moved["held"]["mu"].values)
