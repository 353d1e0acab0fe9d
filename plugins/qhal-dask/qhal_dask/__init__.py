"""The executor `dask`."""
