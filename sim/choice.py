# SPDX-License-Identifier: Apache-2.0
"""What is chosen at run time for a network with members; no torch."""

import dataclasses

from hw.design import Design
from hw.register_map import CommitteeWord, register_address
from hw.structures import to_bits
from model.description import Network
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
        Answer after every step; of one member.
    """

    members: int | None = None
    seed: int | None = None
    step_results: bool = False

    def check(self, network: Network) -> None:
        """Refuse what does not fit a network.

        Raises
        ------
        ValueError
            If members or seed are missing, out of range, or of another kind of network.
        """
        if not network.is_stepwise:
            if self != Choice():
                raise ValueError("Members and seed are of networks with a state at every step only")
            return
        check_seed(network, self.seed)
        members = check_members(network, self.members)
        if self.step_results and members > 1:
            raise ValueError(f"Answers after every step must be of 1 member, not {members}")

    def writes(self, design: Design, members: int) -> list[tuple[int, int]]:
        """Register writes after a load: address and value."""
        if not design.is_stepwise:
            return []
        word = to_bits(CommitteeWord, members=members, step_results=self.step_results)
        writes = [(register_address("committee"), word)]
        if self.seed is not None:
            writes.append((register_address("seed"), self.seed))
        return writes
