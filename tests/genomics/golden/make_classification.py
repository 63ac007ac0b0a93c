"""Writes classification.inc: scikit-learn's logistic regression and scores on small made data, for the genomics tests.

Run: python3 tests/genomics/golden/make_classification.py    (needs scikit-learn; the figures in the tree come from 1.9)

Data: row i has the entries x[i, (i * 7 + j * 3) % 12] = made(i, j), j = 0..3, with made(i, j) = 1 + ((i * 5 + j * 11) % 13) / 7; labels
are (i * i + i // 3) % classes. Scores: p[i] = ((i * 37) % 101) / 101, rounded to 1 digit so that ties occur, truth = (i * 13 + i // 4) % 3 == 0.
"""
import pathlib

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, matthews_corrcoef, roc_auc_score

ROWS, COLUMNS = 60, 12


def data(classes):
    x = np.zeros((ROWS, COLUMNS))
    for i in range(ROWS):
        for j in range(4):
            x[i, (i * 7 + j * 3) % COLUMNS] = 1 + ((i * 5 + j * 11) % 13) / 7
    return x, np.array([(i * i + i // 3) % classes for i in range(ROWS)])


def listed(values):
    return "{" + ", ".join(f"{v:.12g}" for v in np.asarray(values).reshape(-1)) + "}"


text = f"// Made by make_classification.py with scikit-learn {sklearn.__version__}.\n"
for classes, strength in ((2, 0.7), (3, 5.0)):
    x, y = data(classes)
    model = LogisticRegression(C=strength, tol=1e-12, max_iter=100000, solver="newton-cg").fit(x, y)
    text += f"const std::vector<double> kProbabilities{classes}{listed(model.predict_proba(x)[:10])};\n"
    text += f"const std::vector<double> kWeights{classes}{listed(np.concatenate([model.coef_.T, model.intercept_[None]]))};\n"
p = np.round(np.array([(i * 37) % 101 for i in range(80)]) / 101, 1)
truth = np.array([(i * 13 + i // 4) % 3 == 0 for i in range(80)])
text += f"const std::vector<double> kBinary{listed([roc_auc_score(truth, p), average_precision_score(truth, p), matthews_corrcoef(truth, p >= 0.5), np.mean(truth == (p >= 0.5))])};\n"
q = np.stack([((np.arange(80) * k) % 17 + 1) / 17 for k in (3, 5, 11)], 1)
q /= q.sum(1, keepdims=True)
y = np.array([(i * i + i // 3) % 3 for i in range(80)])
said = q.argmax(1)
text += (f"const std::vector<double> kThree{listed([matthews_corrcoef(y, said), np.mean(y == said), roc_auc_score(y, q, multi_class='ovr', average='macro'), np.mean([average_precision_score(y == k, q[:, k]) for k in range(3)])])};\n")
(pathlib.Path(__file__).parent / "classification.inc").write_text(text)
