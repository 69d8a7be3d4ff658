"""CALM in PyTorch, straight from the document's pseudocode (calm.md sections 0, 3, 5, 12): the other side of `calm.py`.

    pip install torch --index-url https://download.pytorch.org/whl/cpu

`dense` is the blueprint of section 7: x_ic and g_ic,k are tensors over booth and cell. `sparing` is what somebody who
minds the memory would write: features by cell, and eta'g worked out once per constituency before booths gather it. Both
have dense [booth, cell, party] utilities, log-softmax and autograd, and K free coefficients per party term: penalised
ones add up to zero over the parties at the minimum, so the minimum is that of electjax.
"""

import time

import numpy as np
import torch


class Calm(torch.nn.Module):
    """Parameters start where electjax starts: the totals' turnout and shares, everything else 0."""

    def __init__(self, booths, frame, g, hyper, *, dtype=torch.float64, dense=True):
        super().__init__()
        area = torch.as_tensor(np.asarray(booths.constituency), dtype=torch.long)

        def given(values):
            return torch.as_tensor(np.asarray(values, float)).to(dtype)

        self.dense, self.area, self.hyper = dense, area, hyper
        self.sizes, self.polled, self.votes = given(booths.sizes), given(booths.polled), given(booths.votes)
        self.covariates, self.features, self.g = given(booths.covariates), given(frame.features), given(g)
        self.absent = ~torch.as_tensor(np.asarray(frame.fielded))[area]
        if dense:
            number, cells = self.sizes.shape
            own = self.covariates[:, None, :].expand(number, cells, -1)
            self.x = torch.cat([self.features.expand(number, -1, -1), own], dim=2).contiguous()
            self.g = self.g[area].contiguous()
        rows, parties = self.features.shape[1] + self.covariates.shape[1], self.votes.shape[1]
        rate = self.polled.sum() / self.sizes.sum()
        shares = torch.log((self.votes.sum(0) + 0.5) / (self.votes.sum() + 1.0))

        def zeros(*shape):
            return torch.nn.Parameter(torch.zeros(*shape, dtype=dtype))

        self.alpha = torch.nn.Parameter(torch.logit(rate))
        self.gamma = torch.nn.Parameter(shares - shares.mean())
        self.beta_T, self.beta_P, self.eta = zeros(rows), zeros(rows, parties), zeros(self.g.shape[-1])
        self.b_T, self.b_P = zeros(len(area)), zeros(len(area), parties)

    def forward(self):
        """The objective of section 5, the turnout's part with the entropy of the data in it."""
        if self.dense:
            turnout = self.x @ self.beta_T
            utility = self.x @ self.beta_P + self.g @ self.eta
        else:
            number = self.features.shape[1]
            of_cell, of_booth = self.features @ self.beta_T[:number], self.covariates @ self.beta_T[number:]
            turnout = of_cell + of_booth[:, None]
            utility = (self.features @ self.beta_P[:number] + self.g @ self.eta)[self.area]
            utility = utility + (self.covariates @ self.beta_P[number:])[:, None]
        pi = torch.sigmoid(self.alpha + self.b_T[:, None] + turnout)
        utility = (self.gamma + self.b_P[:, None] + utility).masked_fill(self.absent[:, None], float("-inf"))
        theta = torch.log_softmax(utility, dim=2).exp()

        voters = self.sizes * pi
        electors, expected = self.sizes.sum(1), voters.sum(1)
        t_hat = expected / electors
        p_hat = (voters[:, :, None] * theta).sum(1) / expected[:, None]

        eps = self.hyper.epsilon
        away = electors - self.polled
        of_turnout = -(self.polled * torch.log(t_hat + eps) + away * torch.log(1 - t_hat + eps)).sum()
        p = self.votes / self.polled[:, None].clamp(min=1)
        of_party = (torch.xlogy(self.votes, p) - self.votes * torch.log(p_hat + eps)).sum()
        return (
            self.hyper.lambda_T * of_turnout
            + self.hyper.lambda_P * of_party
            + self.hyper.lambda_beta * ((self.beta_T**2).sum() + (self.beta_P**2).sum())
            + self.hyper.lambda_b * ((self.b_T**2).sum() + (self.b_P**2).sum())
            + self.hyper.lambda_eta * (self.eta**2).sum()
        )


def gradient(model):
    """One objective and gradient."""
    model.zero_grad(set_to_none=True)
    value = model()
    value.backward()
    return value.item()


def fit(model, *, method="lbfgs", seconds=600.0, goal=-np.inf, rate=None):
    """Minimise until the goal or for so many seconds: (seconds, objective) of every evaluation."""
    path, begin = [], time.perf_counter()

    class Enough(Exception):
        pass

    def closure():
        optimiser.zero_grad(set_to_none=True)
        value = model()
        value.backward()
        path.append((time.perf_counter() - begin, value.item()))
        if path[-1][0] > seconds or path[-1][1] <= goal:
            raise Enough
        return value

    if method == "lbfgs":
        how = {"history_size": 20, "line_search_fn": "strong_wolfe", "tolerance_grad": 0.0, "tolerance_change": 0.0}
        optimiser = torch.optim.LBFGS(model.parameters(), lr=1.0, max_iter=100_000, **how)
    else:
        optimiser = torch.optim.Adam(model.parameters(), lr=rate or 0.02)
    try:
        while True:
            before = len(path)
            optimiser.step(closure)
            if method == "lbfgs" and len(path) - before <= 1:  # the line search finds nothing lower
                break
    except Enough:
        pass
    return path
