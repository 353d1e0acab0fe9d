"""HiGHS in a process of its own, because its library and the one inside ortools clash.

Run as a script it reads a JSON list of paths from each line: the model to read and, if there is a
second, where to write it again; it answers with the model in one line of JSON.
"""

import json
import subprocess
import sys


def describe(paths):
    """The model at ``paths[0]`` as lists, written to ``paths[1]`` if there is one."""
    import highspy

    model = highspy.Highs()
    model.setOptionValue("output_flag", False)
    if model.readModel(paths[0]) != highspy.HighsStatus.kOk:
        return {"error": f"HiGHS complains of {paths[0]}"}
    for path in paths[1:]:
        if model.writeModel(path) == highspy.HighsStatus.kError:
            return {"error": f"HiGHS cannot write {path}"}
    lp, hessian = model.getLp(), model.getModel().hessian_
    matrix = lp.a_matrix_
    return {
        "names": list(lp.col_names_),
        "lower": list(lp.col_lower_),
        "upper": list(lp.col_upper_),
        "whole": [kind != highspy.HighsVarType.kContinuous for kind in lp.integrality_],
        "costs": list(lp.col_cost_),
        "offset": lp.offset_,
        "sign": -1 if lp.sense_ == highspy.ObjSense.kMaximize else 1,
        "row_lower": list(lp.row_lower_),
        "row_upper": list(lp.row_upper_),
        "matrix": [list(matrix.start_), list(matrix.index_), list(matrix.value_)],
        "hessian": [list(hessian.start_), list(hessian.index_), list(hessian.value_)],
    }


class Peer:
    """The other end: a process that stays, as starting one takes long."""

    def __enter__(self):
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=30)

    def __call__(self, *paths):
        """The model at ``paths[0]``, written to ``paths[1]``; HiGHS must not complain."""
        self._process.stdin.write(json.dumps([str(path) for path in paths]) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer
        return answer


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(describe(json.loads(line))), flush=True)
