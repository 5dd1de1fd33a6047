"""Turnout as a Ramble application: a workload is a sweep, a part of one, or a study; its figures of merit are the rows of the
CSV. README.md two folders up says how to add the repository that this file is in."""
from ramble.appkit import *


class Turnout(ExecutableApplication):
    """What routed attention saves in seconds and joules on a device: kernels, layers and models, verified and timed."""

    name = "turnout"

    tags("attention", "opencl", "kernels", "benchmark")

    software_spec("turnout", pkg_spec="turnout", package_manager="spack*")

    # One grid in parts: --shard auto goes by the ranks that mpirun or srun number, and each has a file. Braces would be
    # Ramble's own, so whichever launchers' numbers are set stand one behind the other.
    executable(
        "sweep",
        "sh -c 'turnout sweep --quiet {grid} {shard} "
        "-o \"{experiment_run_dir}/cost-$OMPI_COMM_WORLD_RANK-$PMI_RANK-$SLURM_PROCID.csv\"'",
        use_mpi=True,
    )
    executable(
        "report",
        "turnout report {experiment_run_dir} --table --format csv",
        use_mpi=False,
        redirect="{breakevens}",
        output_capture=OUTPUT_CAPTURE.STDOUT,
    )
    executable("study", "turnout study {parts} -o {experiment_run_dir}/study", use_mpi=False)

    workload("grid", executables=["sweep", "report"])
    workload("training", executables=["study"])

    workload_variable("grid", default="--preset quick", description="Options of turnout sweep", workload="grid")
    workload_variable("shard", default="--shard auto", description="Empty: the whole grid, by one process", workload="grid")
    workload_variable(
        "breakevens",
        default="{experiment_run_dir}/breakevens.csv",
        description="Break-evens of all parts together",
        workload="grid",
    )
    workload_variable(
        "parts",
        default="--only seed --distances 62 --seeds 1",
        description="Options of turnout study",
        workload="training",
    )

    # device,execution,T,context,D,break-even: as turnout report --table --format csv prints them
    breakeven_row = (
        r'^"?(?P<device>[^",]+)"?,(?P<execution>compacted|block-skipping),(?P<T>\d*),(?P<context>\d*),'
        r"(?P<D>\d+),(?P<rho>[^,]+),"
    )
    figure_of_merit_context(
        "curve", regex=breakeven_row, output_format="{device}, {execution}, T={T}, context={context}, D={D}"
    )
    figure_of_merit(
        "break-even routed fraction",
        log_file="{breakevens}",
        fom_regex=breakeven_row,
        group_name="rho",
        units="",
        contexts=["curve"],
    )

    success_criteria(
        "break-evens are there", mode="string", match=r".*,compacted,.*", file="{breakevens}"
    )
