"""Simple classifiers on frozen features: what a network has to beat."""

from typing import Literal

Classifier = Literal["logistic", "linear_svm", "rbf_svm", "random_forest"]
ClassifierChoice = Literal[Classifier, "all"]
FeatureKind = Literal["backbone", "hog", "landmarks", "blendshapes", "sound", "compare", "egemaps"]
