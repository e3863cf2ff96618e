"""A conditional WGAN with gradient penalty: the play itself, and the generator of tastes on the autoencoder's vectors.

The generator of tastes begins as the Gaussian fit of tastes given activity, a linear map of the noise, and learns what
departs from it; so it is never less than that baseline to begin with.
Shapes: U users or rows, Z = tastes with the mean and the spread of popularity, or what else is made; C conditions, for
tastes one (log activity); B of a batch.
Sources: Gulrajani et al., Improved Training of Wasserstein GANs, NeurIPS 2017, but with the penalty centred at zero and
taken at the real and the fake vectors, as in Mescheder et al., Which Training Methods for GANs do actually Converge?,
ICML 2018: with the penalty centred at one the two circle each other and need not settle, and on two camps in one
dimension they ran away (tests/synthesis/test_fitting.py).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from recsynth.synthesis.gan_settings import GanSettings
from recsynth.synthesis.generator import SLOPE

AVERAGED = 0.99


class _Generator(nn.Module):
    def __init__(self, skip_XZ: np.ndarray, skip_bias_Z: np.ndarray, hidden: int) -> None:
        super().__init__()
        width, self.size = skip_XZ.shape
        self.skip = nn.Linear(width, self.size)
        self.net = mlp(width, hidden, self.size)
        with torch.no_grad():
            self.skip.weight.copy_(torch.from_numpy(skip_XZ.T))
            self.skip.bias.copy_(torch.from_numpy(skip_bias_Z))
            last = self.net[-1]
            assert isinstance(last, nn.Linear)
            last.weight.mul_(0.1)
            last.bias.zero_()

    def forward(self, condition_BC: torch.Tensor) -> torch.Tensor:
        input_BX = torch.cat([torch.randn(len(condition_BC), self.size), condition_BC], 1)
        made_BZ: torch.Tensor = self.skip(input_BX) + self.net(input_BX)
        return made_BZ


def fit_gan(taste_UZ: np.ndarray, condition_U: np.ndarray, settings: GanSettings, seed: int) -> dict[str, np.ndarray]:
    """Train and return the generator's weights, the mean of its last steps; see generator.generate."""
    # The process' own stream of random numbers is as it was afterwards.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = _Generator(*gaussian(taste_UZ, condition_U[:, None]), settings.hidden_size)
        real_UX = torch.from_numpy(np.column_stack([taste_UZ, condition_U]).astype(np.float32))
        *_, averaged = contention(made, real_UX, 1, settings)
    names = [name for name, _ in made.named_parameters()]
    return {name: mean.numpy() for name, mean in zip(names, averaged, strict=True)}


def contention(
    made: nn.Module, real_UX: torch.Tensor, conditions: int, settings: GanSettings
) -> Iterator[list[torch.Tensor]]:
    """Play, one step of the generator at a time; yields the mean of its parameters over the last steps, in place.

    made: from conditions (B, C) to what it makes of them (B, Z). real_UX: (U, Z + C), the conditions last.
    """
    critic = mlp(real_UX.shape[1], settings.hidden_size, 1)
    rates = {"made": settings.learning_rate, "critic": 2 * settings.learning_rate}
    optimizers = {
        name: torch.optim.Adam(module.parameters(), rates[name], betas=(0.0, 0.9))
        for name, module in (("made", made), ("critic", critic))
    }
    averaged = [p.detach().clone() for p in made.parameters()]
    for step in range(settings.steps):
        for name, optimizer in optimizers.items():
            optimizer.param_groups[0]["lr"] = rates[name] * (1 - step / settings.steps)
        for _ in range(settings.critic_steps):
            _descend(optimizers["critic"], _critic_loss(critic, made, _batch(real_UX, settings), conditions, settings))
        condition_BC = _batch(real_UX, settings)[:, -conditions:]
        _descend(optimizers["made"], -critic(torch.cat([made(condition_BC), condition_BC], 1)).mean())
        with torch.no_grad():
            for mean, now in zip(averaged, made.parameters(), strict=True):
                mean.mul_(AVERAGED).add_(now, alpha=1 - AVERAGED)
        yield averaged


def gaussian(made_UZ: np.ndarray, condition_UC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The Gaussian fit of what is made given conditions, as a map of (noise, condition): weights (Z + C, Z), bias (Z,).

    made_UZ: real vectors, one a row.
    """
    given_UX = np.column_stack([condition_UC, np.ones(len(condition_UC))])
    on_XZ, *_ = np.linalg.lstsq(given_UX, made_UZ, rcond=None)
    rest_UZ = made_UZ - given_UX @ on_XZ
    spread_ZZ = rest_UZ.T @ rest_UZ / len(rest_UZ) + 1e-4 * np.eye(made_UZ.shape[1])
    root_ZZ = np.linalg.cholesky(spread_ZZ)
    return np.vstack([root_ZZ.T, on_XZ[:-1]]).astype(np.float32), on_XZ[-1].astype(np.float32)


def mlp(width: int, hidden: int, out: int, layers: int = 2) -> nn.Sequential:
    """A network of `layers` hidden layers with leaky rectifiers."""
    inner: list[nn.Module] = []
    for n in range(layers):
        inner += [nn.Linear(hidden if n else width, hidden), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*inner, nn.Linear(hidden, out))


def _critic_loss(
    critic: nn.Module, made: nn.Module, real_BX: torch.Tensor, conditions: int, settings: GanSettings
) -> torch.Tensor:
    """W(fake) - W(real) + penalty * |slope|^2 at the real and at the fake vectors, the condition held."""
    taste_BZ, condition_BC = real_BX[:, :-conditions], real_BX[:, -conditions:]
    taste_BZ = taste_BZ + settings.jitter * torch.randn_like(taste_BZ)
    with torch.no_grad():
        fake_BZ = made(condition_BC)
    at_CZ = torch.cat([taste_BZ, fake_BZ]).requires_grad_(True)
    value_C1 = critic(torch.cat([at_CZ, condition_BC.repeat(2, 1)], 1))
    (slope_CZ,) = torch.autograd.grad(value_C1.sum(), at_CZ, create_graph=True)
    real, fake = value_C1.split(len(taste_BZ))
    loss: torch.Tensor = fake.mean() - real.mean() + settings.gradient_penalty * slope_CZ.square().sum(1).mean()
    return loss


def _batch(real_UX: torch.Tensor, settings: GanSettings) -> torch.Tensor:
    return real_UX[torch.randint(len(real_UX), (settings.batch_size,))]


def _descend(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
