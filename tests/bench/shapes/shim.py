"""The CUDA kernels as they run on a CPU (tests/cuda_on_cpu), for a program that loads the core."""
import pathlib
import shutil
import sys

FILES = {"lib/libtenon.so.0.1": "libtenon.so.0.1", "tests/shim/libtenon_cuda.so": "libtenon_cuda.so", "lib/libdriver_stub.so": "libcuda.so.1"}


def variables(binary, folder):
    """Of an environment in which `binary`, BUILD/bin/NAME, finds them; copies go to `folder`, for the core takes the backend that lies beside it."""
    build = pathlib.Path(binary).resolve().parent.parent
    for source, name in FILES.items():
        if not (build / source).exists():
            sys.exit(f"no {build / source}: the shim needs a build with TENON_BUILD_TESTS=ON")
        shutil.copy(build / source, pathlib.Path(folder) / name)
    return {"LD_LIBRARY_PATH": str(folder), "TENON_PLAN_MEMORY": "none"}
