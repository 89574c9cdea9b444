"""Features are standardised as scikit-learn does it, whatever the batches."""

import pytest
import torch
from sklearn.preprocessing import StandardScaler

from emorec.layers.standardize import Standardize


def test_the_result_is_that_of_scikit_learn() -> None:
    features = torch.randn(60, 3, generator=torch.Generator().manual_seed(0)) * 5 + 1000
    features[:, 2] = 7  # constant
    standardize = Standardize(3)
    assert torch.equal(standardize(features), features)
    standardize.fit(features.view(10, 6, 3).split([1, 7, 2]))
    expected = torch.from_numpy(StandardScaler().fit_transform(features.double().numpy()))
    torch.testing.assert_close(standardize(features).double(), expected, rtol=0, atol=1e-4)


def test_the_fitted_state_is_saved_and_an_empty_fit_is_refused() -> None:
    standardize, restored = Standardize(2), Standardize(2)
    with pytest.raises(ValueError, match="no batch"):
        standardize.fit([])
    assert not standardize.is_fitted
    standardize.fit([torch.tensor([[1.0, 2.0], [3.0, 6.0]])])
    restored.load_state_dict(standardize.state_dict())
    assert restored.is_fitted
    assert restored(torch.tensor([3.0, 6.0])).tolist() == [1.0, 1.0]
