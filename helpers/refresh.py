"""Run notebooks again and store their outputs: python -m helpers.refresh [notebook …]

Started by `python course.py refresh`, which sets threads, hash seed and cloud variables as the
tests do. Twice in a row changes nothing: cell ids stay, what differs from run to run goes
(execution times, widget state, the Python version), and a cell whose output may vary (tag
`nbval-ignore-output`) keeps the stored one as long as everything else comes out the same.
"""

import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
WIDGET = "application/vnd.jupyter.widget-view+json"


def execute(notebook: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """A copy of the notebook with the outputs of a fresh kernel that was started in its folder."""
    notebook = nbformat.from_dict(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=600,
        startup_timeout=180,
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    return notebook


def tidy(notebook: nbformat.NotebookNode) -> None:
    """Remove in place what differs between two runs or two machines."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata["kernelspec"] = dict(KERNEL)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            if len(output.get("data", {})) > 1:
                output.data.pop(WIDGET, None)  # a random id of a state that is not stored; its text stays


def varies(cell: nbformat.NotebookNode) -> bool:
    return "nbval-ignore-output" in cell.metadata.get("tags", [])


def keep_varying(new: nbformat.NotebookNode, old: nbformat.NotebookNode) -> None:
    """Take over the stored outputs of cells that may vary, if nothing else of the notebook has changed."""

    def rest(notebook):
        return [
            [
                cell.get("id"),
                cell.cell_type,
                cell.source,
                cell.metadata,
                None if varies(cell) else [cell.get("outputs"), cell.get("execution_count")],
            ]
            for cell in notebook.cells
        ]

    if rest(new) == rest(old):
        for fresh, stored in zip(new.cells, old.cells, strict=True):
            if varies(fresh) and stored.execution_count == fresh.execution_count and stored.outputs:
                fresh.outputs = stored.outputs


def refresh(path: Path) -> bool:
    """Run one notebook; True if its file has changed."""
    before = path.read_bytes()
    old = nbformat.reads(before.decode("utf-8"), as_version=4)
    new = execute(old, path.parent)
    tidy(new)
    tidy(old)
    keep_varying(new, old)
    after = (nbformat.writes(new).rstrip("\n") + "\n").encode("utf-8")
    if after == before:
        return False
    temporary = path.with_name(path.name + ".new")
    temporary.write_bytes(after)
    os.replace(temporary, path)
    return True


def main(arguments: list[str]) -> int:
    paths = [Path(argument).resolve() for argument in arguments] or sorted(NOTEBOOKS.glob("*/*.ipynb"))
    failed = []
    for path in paths:
        start = time.perf_counter()
        print(f"{path.name} …", end=" ", flush=True)
        try:
            changed = refresh(path)
        except CellExecutionError as error:  # its text holds the cell's source and the traceback
            failed.append(path.name)
            print(f"a cell raised; the file stays as it was.\n{error}")
        except (CellTimeoutError, DeadKernelError, nbformat.ValidationError, ValueError) as error:
            failed.append(path.name)
            print(f"could not be run ({type(error).__name__}); the file stays as it was.\n{str(error)[:1000]}")
        else:
            print("changed" if changed else "unchanged", f"({time.perf_counter() - start:.0f} s)", flush=True)
    if failed:
        print("\nNot refreshed:", ", ".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    os.environ["COURSE_REFRESH"] = "1"  # inherited by the kernels: helpers.progress then shows nothing that varies
    sys.exit(main(sys.argv[1:]))
