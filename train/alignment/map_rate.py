"""The rate of the map from epoch to epoch, as `update_lr` of MUSE's src/trainer.py has it."""

from train.alignment.adversarial_settings import GameSettings


class MapRate:
    """value: of the coming epoch; below `least_rate` the game ends. The discriminator's rate is not touched."""

    def __init__(self, settings: GameSettings) -> None:
        self.settings, self.value = settings, settings.rate
        self._best, self._fallen = -float("inf"), False

    def after_epoch(self, criterion: float) -> bool:
        """Whether the criterion is the highest so far. Every epoch the rate decays; it shrinks where the criterion is
        below the best, but for the first time that it is."""
        settings = self.settings
        self.value = max(settings.least_rate, self.value * settings.decay)
        if criterion < self._best:
            if self._fallen:
                self.value *= settings.shrink
            self._fallen = True
        higher = criterion > self._best
        self._best = max(criterion, self._best)
        return higher
