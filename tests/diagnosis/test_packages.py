from importlib.metadata import PackageNotFoundError

from emorec.diagnosis import packages
from emorec.diagnosis.packages import look_at_packages, unmet_requirements


def test_an_extra_is_not_asked_for():
    assert unmet_requirements(["optuna>=5; extra == 'study'"], {}) == []


def test_a_name_is_found_however_it_is_written():
    assert unmet_requirements(["Typing_Extensions>=4"], {"typing-extensions": "4.15.0"}) == []


def test_a_local_build_meets_the_requirement_of_its_public_version():
    assert unmet_requirements(["torch>=2.11"], {"torch": "2.13.0+cpu"}) == []


def test_a_missing_package_is_a_failure_and_a_bad_one_a_warning(monkeypatch):
    monkeypatch.setattr(packages, "requires", lambda name: ["rich>=13.9", "torch"])
    findings = look_at_packages({"torch": "2.9.1"})
    assert findings.failures == ["rich is not installed, emorec needs >=13.9"]
    assert len(findings.warnings) == 1
    assert findings.rows == [("torch", "2.9.1")]


def test_a_source_tree_that_was_never_installed_is_told_so(monkeypatch):
    def unknown(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(packages, "requires", unknown)
    (failure,) = look_at_packages({}).failures
    assert "make install" in failure
