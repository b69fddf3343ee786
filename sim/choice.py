# SPDX-License-Identifier: Apache-2.0
"""What is chosen at run time for a network with members, or one on series; no torch."""

import dataclasses

from hw.design.design import Design, ceil_div
from hw.formats.register_map import CommitteeWord, register_address
from hw.formats.structures import to_bits
from model.description import MAX_STEPS, Network
from model.sampling import check_members, check_seed

__all__ = ["Choice"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
    """Members, seed and answers.

    Parameters
    ----------
    members
        Members K that answer; None: all that are stored.
    seed
        Of members that are drawn.
    step_results
        Steps from answer to answer, of one member; 0: one answer a sample. Networks whose memory
        alone sees the series take any number of its steps, others 1.
    """

    members: int | None = None
    seed: int | None = None
    step_results: int = 0

    def check(self, network: Network) -> None:
        """Refuse what does not fit a network.

        Raises
        ------
        ValueError
            If members or seed are missing, out of range, or of another kind of network, or if
            answers are not offered after so many steps.
        """
        if not network.is_stepwise:
            if self != Choice():
                raise ValueError("Members and seed are of networks with a state at every step only")
            return
        check_seed(network, self.seed)
        members = check_members(network, self.members)
        most = MAX_STEPS if reads_memory(network) else 1
        if not 0 <= self.step_results <= most:
            raise ValueError(
                f"Steps from answer to answer must lie in 0..{most} for this network, "
                f"not {self.step_results}"
            )
        if self.step_results and members > 1:
            raise ValueError(f"Answers after every step must be of 1 member, not {members}")

    def answers(self, network: Network) -> int:
        """Answers a sample."""
        if not self.step_results:
            return 1
        if reads_memory(network):
            return ceil_div(network.encoding.steps, self.step_results)
        return network.steps

    def writes(self, design: Design, members: int) -> list[tuple[int, int]]:
        """Register writes after a load: address and value."""
        if not design.is_stepwise:
            return []
        word = to_bits(CommitteeWord, members=members, step_results=self.step_results)
        writes = [(register_address("committee"), word)]
        if self.seed is not None:
            writes.append((register_address("seed"), self.seed))
        return writes


def reads_memory(network: Network) -> bool:
    """Whether the layers see a series through a memory alone: the parallel form of the LMU."""
    return network.memory is not None and not network.is_recurrent
