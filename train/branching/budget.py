"""How the tokens of an arm are divided over its runs.

Every arm sees the same total: seed, all branches and the decay together are as many steps as the joint run has.
"""

from dataclasses import dataclass

from schemas.errors import UserError


@dataclass(frozen=True)
class Budget:
    """In steps. warmup: of the seed and of the joint run, which rise alike. rewarmup: share of a branch's steps, and
    of a decay's, that rise again, since their moments begin anew (Ibrahim et al. 2024, arXiv 2403.08763)."""

    total: int
    seed: int
    branch: int
    decay: int
    warmup: int
    rewarmup: float

    def again(self, steps: int) -> int:
        """Steps of a run that goes on with a model that rise again: one at least, where one is left to fall."""
        return min(max(1, round(steps * self.rewarmup)), steps - 1) if self.rewarmup else 0


def divided(
    total: int, branches: int, seed_share: float, decay_share: float, warmup_ratio: float, rewarmup: float
) -> Budget:
    """Shares are of the total. What does not divide into the branches is the decay's. UserError where a run would have
    no step."""
    for name, share in (("--seed-share", seed_share), ("--decay-share", decay_share)):
        if not 0 < share < 1:
            raise UserError(f"{name} {share:g}: give a number above 0 and below 1")
    if not 0 <= rewarmup < 1:
        raise UserError(f"--rewarmup {rewarmup:g}: give a number from 0 up, below 1")
    if seed_share + decay_share >= 1:
        raise UserError(
            f"--seed-share {seed_share:g} and --decay-share {decay_share:g} leave nothing to the branches: make one "
            "of them smaller"
        )
    seed, decay = round(total * seed_share), round(total * decay_share)
    branch = (total - seed - decay) // branches if branches else 0
    if min(seed, decay, branch) < 1:
        raise UserError(
            f"{total} steps are too few for a seed, {branches} branches and a decay: give more --tokens or --steps, or "
            "fewer --branches"
        )
    decay = total - seed - branches * branch
    return Budget(total, seed, branch, decay, min(seed, round(total * warmup_ratio)), rewarmup)
