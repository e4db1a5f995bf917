"""Where a ComfyUI child lives: its folders, its user, and that it finds nothing of the one before it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from gpu_functions.comfyui.launch import Launch
from gpu_functions.isolation.confinement import Confinement, survey, sweep
from gpu_functions.isolation.user import Claim, ComfyUser, IsolationError, claim, comfy_user

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Housing:
    """The state folder of one worker; `confinement` is None where ComfyUI runs as we do."""

    launch: Launch
    environ: Mapping[str, str]
    shared: bool
    confinement: Confinement | None = None
    _claim: Claim | None = None

    @property
    def user(self) -> ComfyUser | None:
        """Whom the child runs as."""
        return self.confinement.user if self.confinement is not None else None

    @property
    def is_known_good(self) -> bool:
        """Whether a child was housed here before: what fails now may pass."""
        return self.confinement is not None

    def make_ready(self, *, fresh: bool) -> None:
        """End what a child left, and lay out the folders for the next.

        Args:
            fresh: it serves another workspace than the one before

        Raises:
            IsolationError: COMFY_USER cannot be used, or something of the last child is left.
        """
        try:
            self._make_ready(fresh)
        except OSError as error:
            folder = error.filename or self.launch.state
            raise IsolationError(f"{folder} cannot be used: {error.strerror}.") from error

    def _make_ready(self, fresh: bool) -> None:  # noqa: FBT001 - see above
        name = self.launch.settings.comfy_user
        if not name:
            # The operator's own ComfyUI serves one workspace and may keep what it made; the engine
            # serves all of them, and may have been killed with files of one.
            if fresh or (self.launch.is_engine and not self.shared):
                self.launch.renew_folders()
            else:
                self.launch.make_folders()
            return
        user = comfy_user(name)
        if self._claim is None:
            self._claim = claim(user)
        self._clean(user)
        self.launch.make_folders(user)
        if self.confinement is None:
            self.confinement = self._confine(user)

    def leave(self) -> None:
        """Nothing of the child is left, and another worker may have its user.

        Raises:
            IsolationError: something is.
        """
        held, self._claim = self._claim, None
        if held is not None:
            try:
                if self.confinement is not None:
                    self._clean(self.confinement.user)
            finally:
                held.release()

    def _clean(self, user: ComfyUser) -> None:
        # Before the first start nobody knows how the last worker ran it.
        everywhere = self.confinement is None or not self.confinement.private
        sweep(user, [] if self.shared else self.launch.users_folders, everywhere=everywhere)
        if not self.shared:
            self.launch.remove_folders()

    def _confine(self, user: ComfyUser) -> Confinement:
        confinement = self.launch.confinement(user, self.environ)
        interpreter = self.launch.settings.interpreter
        surveyed = survey(
            confinement, interpreter, self.launch.readable(), self.launch.closed(self.environ)
        )
        how = "with" if surveyed.private else "without"
        log.info("ComfyUI runs as %s, %s a private view of the file system", user, how)
        return surveyed
