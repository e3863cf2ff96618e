"""The generator of tastes: a conditional WGAN with gradient penalty on the autoencoder's latent vectors.

The generator begins as the Gaussian fit of tastes given activity, a linear map of the noise, and learns what departs
from it; so it is never less than that baseline to begin with.
Shapes: U users, Z = tastes with the mean and the spread of popularity, one condition (log activity).
Sources: Gulrajani et al., Improved Training of Wasserstein GANs, NeurIPS 2017, but with the penalty centred at zero and
taken at the real and the fake vectors, as in Mescheder et al., Which Training Methods for GANs do actually Converge?,
ICML 2018: with the penalty centred at one the two circle each other and need not settle, and on two camps in one
dimension they ran away (tests/synthesis/test_fitting.py).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from recsynth.synthesis.generator import SLOPE
from recsynth.synthesis.settings import GanSettings

AVERAGED = 0.99


class _Generator(nn.Module):
    def __init__(self, skip_XZ: np.ndarray, skip_bias_Z: np.ndarray, hidden: int) -> None:
        super().__init__()
        width, size = skip_XZ.shape
        self.skip = nn.Linear(width, size)
        self.net = _mlp(width, hidden, size)
        with torch.no_grad():
            self.skip.weight.copy_(torch.from_numpy(skip_XZ.T))
            self.skip.bias.copy_(torch.from_numpy(skip_bias_Z))
            last = self.net[-1]
            assert isinstance(last, nn.Linear)
            last.weight.mul_(0.1)
            last.bias.zero_()

    def forward(self, input_UX: torch.Tensor) -> torch.Tensor:
        made_UZ: torch.Tensor = self.skip(input_UX) + self.net(input_UX)
        return made_UZ


def fit_gan(taste_UZ: np.ndarray, condition_U: np.ndarray, settings: GanSettings, seed: int) -> dict[str, np.ndarray]:
    """Train and return the generator's weights, the mean of its last steps; see generator.generate."""
    # The process' own stream of random numbers is as it was afterwards.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _trained(taste_UZ, condition_U, settings)


def _trained(taste_UZ: np.ndarray, condition_U: np.ndarray, settings: GanSettings) -> dict[str, np.ndarray]:
    skip_XZ, skip_bias_Z = gaussian(taste_UZ, condition_U)
    made, critic = (
        _Generator(skip_XZ, skip_bias_Z, settings.hidden_size),
        _mlp(taste_UZ.shape[1] + 1, settings.hidden_size, 1),
    )
    rates = {"made": settings.learning_rate, "critic": 2 * settings.learning_rate}
    optimizers = {
        name: torch.optim.Adam(module.parameters(), rates[name], betas=(0.0, 0.9))
        for name, module in (("made", made), ("critic", critic))
    }
    averaged = [p.detach().clone() for p in made.parameters()]
    real = torch.from_numpy(np.column_stack([taste_UZ, condition_U]).astype(np.float32))
    for step in range(settings.steps):
        for name, optimizer in optimizers.items():
            optimizer.param_groups[0]["lr"] = rates[name] * (1 - step / settings.steps)
        for _ in range(settings.critic_steps):
            _descend(optimizers["critic"], _critic_loss(critic, made, _batch(real, settings), settings))
        condition_B1 = _batch(real, settings)[:, -1:]
        fake_BX = torch.cat([_fake(made, condition_B1, real.shape[1] - 1), condition_B1], 1)
        _descend(optimizers["made"], -critic(fake_BX).mean())
        with torch.no_grad():
            for mean, now in zip(averaged, made.parameters(), strict=True):
                mean.mul_(AVERAGED).add_(now, alpha=1 - AVERAGED)
    names = [name for name, _ in made.named_parameters()]
    return {name: mean.numpy() for name, mean in zip(names, averaged, strict=True)}


def gaussian(taste_UZ: np.ndarray, condition_U: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The Gaussian fit of tastes given activity as a map of (noise, condition): weights (Z + 1, Z) and bias (Z,)."""
    given_U2 = np.column_stack([condition_U, np.ones(len(condition_U))])
    on_2Z, *_ = np.linalg.lstsq(given_U2, taste_UZ, rcond=None)
    rest_UZ = taste_UZ - given_U2 @ on_2Z
    spread_ZZ = rest_UZ.T @ rest_UZ / len(rest_UZ) + 1e-4 * np.eye(taste_UZ.shape[1])
    root_ZZ = np.linalg.cholesky(spread_ZZ)
    return np.vstack([root_ZZ.T, on_2Z[:1]]).astype(np.float32), on_2Z[1].astype(np.float32)


def _critic_loss(critic: nn.Module, made: nn.Module, real_BX: torch.Tensor, settings: GanSettings) -> torch.Tensor:
    """W(fake) - W(real) + penalty * |slope|^2 at the real and at the fake vectors, the condition held."""
    taste_BZ, condition_B1 = real_BX[:, :-1], real_BX[:, -1:]
    taste_BZ = taste_BZ + settings.jitter * torch.randn_like(taste_BZ)
    with torch.no_grad():
        fake_BZ = _fake(made, condition_B1, taste_BZ.shape[1])
    at_CZ = torch.cat([taste_BZ, fake_BZ]).requires_grad_(True)
    value_C1 = critic(torch.cat([at_CZ, condition_B1.repeat(2, 1)], 1))
    (slope_CZ,) = torch.autograd.grad(value_C1.sum(), at_CZ, create_graph=True)
    real, fake = value_C1.split(len(taste_BZ))
    loss: torch.Tensor = fake.mean() - real.mean() + settings.gradient_penalty * slope_CZ.square().sum(1).mean()
    return loss


def _fake(made: nn.Module, condition_B1: torch.Tensor, size: int) -> torch.Tensor:
    fake_BZ: torch.Tensor = made(torch.cat([torch.randn(len(condition_B1), size), condition_B1], 1))
    return fake_BZ


def _batch(real_UX: torch.Tensor, settings: GanSettings) -> torch.Tensor:
    return real_UX[torch.randint(len(real_UX), (settings.batch_size,))]


def _descend(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _mlp(width: int, hidden: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(width, hidden), nn.LeakyReLU(SLOPE), nn.Linear(hidden, hidden), nn.LeakyReLU(SLOPE),
        nn.Linear(hidden, out),
    )  # fmt: skip
