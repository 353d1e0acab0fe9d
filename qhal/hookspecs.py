"""What a plugin may offer: one hook per entry-point group, each with a complete example.

A plugin is a module (or object) named by an entry point. The entry point's **name** is what users
select by; its group says which hook the plugin implements::

    [project.entry-points."qhal.oracles"]
    coin-flip = "qhal_coinflip"
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from qhal.composite import CompositeInfo
    from qhal.executors import ExecutorInfo
    from qhal.functions import Activation, Loss
    from qhal.oracle import OracleInfo

hookspec = pluggy.HookspecMarker("qhal")
hookimpl = pluggy.HookimplMarker("qhal")

HOOKS = {
    "qhal.oracles": "qhal_oracle",
    "qhal.composites": "qhal_composite",
    "qhal.activations": "qhal_activation",
    "qhal.losses": "qhal_loss",
    "qhal.executors": "qhal_executor",
}


@hookspec(firstresult=True)
def qhal_oracle() -> OracleInfo:  # type: ignore[empty-body]
    """Describe an oracle (group ``qhal.oracles``)::

    import numpy as np
    import qhal

    class CoinFlip(qhal.Oracle):
        def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
            rng = np.random.default_rng(seed)
            return rng.integers(0, 2, (num_reads, qubo.num_variables))

    @qhal.hookimpl
    def qhal_oracle():
        return qhal.OracleInfo(
            name="coin-flip", summary="fair coins", factory="qhal_coinflip:CoinFlip", seeded=True
        )
    """


@hookspec(firstresult=True)
def qhal_composite() -> CompositeInfo:  # type: ignore[empty-body]
    """Describe a composite, an oracle around an oracle (group ``qhal.composites``)::

    import qhal

    class Twice(qhal.Composite):
        name = "twice"

        def _sample(self, qubo, *, num_reads, seed, time_limit, initial_states):
            samples = self.ask(
                qubo,
                num_reads=2 * num_reads,
                seed=seed,
                time_limit=time_limit,
                initial_states=initial_states,
            )
            return samples.states[:num_reads], self.report(samples)

    @qhal.hookimpl
    def qhal_composite():
        return qhal.CompositeInfo(
            name="twice", summary="the better half of the reads", factory="qhal_twice:Twice"
        )
    """


@hookspec(firstresult=True)
def qhal_activation() -> Activation:  # type: ignore[empty-body]
    """Describe an activation function (group ``qhal.activations``)::

    import numpy as np
    import qhal

    @qhal.hookimpl
    def qhal_activation():
        return qhal.Activation(
            name="arctan", function=np.arctan, lipschitz=1.0, curvature=0.65, odd=True
        )
    """


@hookspec(firstresult=True)
def qhal_loss() -> Loss:  # type: ignore[empty-body]
    """Describe a loss, a function of the margin y * output (group ``qhal.losses``)::

    import numpy as np
    import qhal

    @qhal.hookimpl
    def qhal_loss():
        return qhal.Loss(name="exponential", function=lambda margin: np.exp(-margin))
    """


@hookspec(firstresult=True)
def qhal_executor() -> ExecutorInfo:  # type: ignore[empty-body]
    """Describe an executor, which maps a function over tasks (group ``qhal.executors``)::

    import qhal

    class Backwards(qhal.Executor):
        def _run(self, function, tasks):
            for k in reversed(range(len(tasks))):
                yield k, function(tasks[k])

    @qhal.hookimpl
    def qhal_executor():
        return qhal.ExecutorInfo(
            name="backwards", summary="one by one", factory="qhal_backwards:Backwards"
        )
    """
