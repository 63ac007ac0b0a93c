"""Steps of PyTorch's as CUDA graphs, timed as tests/bench/replays.hpp times ours."""
import time
import torch


def captured(step):
    """A step recorded on the current device."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph


def timed(run, rounds):
    """Milliseconds a run, of each round of as many runs as fit into 0.05 s, the smallest first."""
    def runs(times):
        begin = time.perf_counter()
        for _ in range(times):
            run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter() - begin
    runs(3)
    times = max(1, int(0.05 / runs(1)))
    return sorted(runs(times) * 1e3 / times for _ in range(rounds))
