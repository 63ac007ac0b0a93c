"""Writes ordering.inc: ordering ops and their gradients as PyTorch and NumPy compute them.  python3 tests/golden/make_ordering.py"""
import numpy as np
import torch

from cases import Cases, made

c = Cases(__file__)
x = made(1, 3, 5, 2)
for axis in (0, 1, 2):
    for down in (False, True):
        n = f"{axis}_{'down' if down else 'up'}"
        c.add(f"sort_{n}", lambda t: t.sort(axis, down)[0], x)
        c.add(f"argsort_{n}", lambda t: t.argsort(axis, down), x, gradient=False)
        c.add(f"topk_{n}", lambda t: t.topk(min(2, t.shape[axis]), axis, down)[0], x)
line = made(2, 2, 40)
c.add("topk_few", lambda t: t.topk(3, 1)[0], line)
c.add("topk_few_indices", lambda t: t.topk(3, 1)[1], line, gradient=False)
for q in (0.0, 0.1, 0.5, 0.77, 1.0):
    n = f"{q:.2f}".replace(".", "_")
    for axis in (0, 1):
        c.add(f"quantile_{n}_{axis}", lambda t: t.quantile(q, axis), x)
    assert np.allclose(np.quantile(x.numpy(), q, 1), x.quantile(q, 1).numpy())
c.add("quantile_several", lambda t: t.quantile(torch.tensor([0.9, 0.25]), 1, keepdim=True), x)
c.add("median_even", lambda t: torch.as_tensor(np.median(t.detach().numpy(), 1)), line, gradient=False)
special = np.array([3, np.nan, -np.inf, 2, 7, np.inf, np.nan, -1, np.inf, 0, 2])
c.add("sort_special", lambda t: torch.as_tensor(np.sort(special)), x, gradient=False)
c.add("argsort_special", lambda t: torch.as_tensor(np.argsort(special, kind="stable")), x, gradient=False)
whole = np.array([[4, 1, 4], [7, 1, 0], [4, 9, 7]])
for k, v in enumerate(np.unique(whole, return_inverse=True, return_counts=True)):
    c.add(f"unique_{k}", lambda t: torch.as_tensor(v.reshape(-1)), x, gradient=False)
edges, asked = np.array([-1.0, 0.5, 0.5, 2, 3]), np.array([-2, -1, 0.5, 0.7, 3, 9, np.nan])
c.add("searchsorted_left", lambda t: torch.as_tensor(np.searchsorted(edges, asked)), x, gradient=False)
c.add("searchsorted_right", lambda t: torch.as_tensor(np.searchsorted(edges, asked, "right")), x, gradient=False)
c.add("bincount", lambda t: torch.as_tensor(np.bincount(whole.reshape(-1))), x, gradient=False)
c.add("bincount_weights", lambda t: torch.bincount(torch.as_tensor(whole.reshape(-1)), t), made(3, 9), gradient=False)
c.write()
