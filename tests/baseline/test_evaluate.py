"""Features are adapted to each person as by a scaler of that person's clips alone."""

import numpy as np
from sklearn.preprocessing import StandardScaler

from emorec.baseline.evaluate import adapt_to_person


def test_adapted_features_equal_those_of_a_scaler_for_each_person() -> None:
    random = np.random.default_rng(0)
    features = (random.normal(size=(9, 5)) * 10.0 ** np.arange(-2, 3) + 7).astype(np.float32)
    features[:, 1] = 3.0  # constant
    features[4] = np.nan  # no face
    people = ["a", "b", "a", "b", "a", "b", "a", "b", "c"]
    expected = np.empty_like(features)
    for person in set(people):
        rows = np.array([each == person for each in people])
        expected[rows] = StandardScaler().fit_transform(features[rows])
    np.testing.assert_allclose(adapt_to_person(features, people), expected, rtol=1e-3, atol=1e-3)


def test_clips_without_features_alone_stay_without() -> None:
    assert np.isnan(adapt_to_person(np.full((2, 3), np.nan, np.float32), [1, 2])).all()
