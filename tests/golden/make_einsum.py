"""Writes einsum.inc: sums of products and their gradients as PyTorch computes them in float64.  python3 tests/golden/make_einsum.py"""
import torch

from cases import Cases, made

c = Cases(__file__)
for equation, shapes in (
    ("ij,jk->ik", ((3, 4), (4, 2))),
    ("ij,jk->ki", ((3, 4), (4, 2))),
    ("ij,ij", ((3, 4), (3, 4))),
    ("ij,ij->i", ((3, 4), (3, 4))),
    ("i,j->ij", ((3,), (4,))),
    ("ij,kj,k->i", ((3, 4), (2, 4), (2,))),
    ("bixy,ioxy->boxy", ((2, 3, 4, 3), (3, 2, 4, 3))),
    ("bxyi,xyio->bxyo", ((2, 4, 3, 3), (4, 3, 3, 2))),
    ("bqhd,bkhd->bhqk", ((2, 3, 2, 4), (2, 5, 2, 4))),
    ("ii", ((4, 4),)),
    ("iji->ij", ((3, 2, 3),)),
    ("ijk->ki", ((2, 3, 4),)),
    ("...ij,...jk->...ik", ((2, 1, 3, 4), (5, 4, 2))),
    ("i...,i...->...", ((3, 2, 4), (3, 1, 4))),
    ("Ba,aB", ((2, 3), (3, 2))),
    ("dc,bA", ((2, 3), (3, 2))),
    ("ab,bc,cd,de->ae", ((2, 5), (5, 3), (3, 4), (4, 2))),
    ("ab,ac,ad,ae,af->bcdef", ((2, 2), (2, 3), (2, 2), (2, 2), (2, 2))),
    ("a,b,c,d,e,abcde->a", ((2,), (2,), (3,), (2,), (2,), (2, 2, 3, 2, 2))),
):
    c.add(equation, lambda *t: torch.einsum(equation, *t), *(made(k + 1, *s) for k, s in enumerate(shapes)))
c.write()
