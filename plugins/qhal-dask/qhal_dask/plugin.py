"""Registers `dask`; Dask itself is imported when the executor is asked for."""

from qhal import ExecutorInfo, hookimpl


@hookimpl
def qhal_executor() -> ExecutorInfo:
    """See `qhal.hookspecs.qhal_executor`."""
    return ExecutorInfo(
        name="dask",
        summary="a Dask cluster: one on this machine, or a running one by its address",
        factory="qhal_dask.executor:Dask",
    )
