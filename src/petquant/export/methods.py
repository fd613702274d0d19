"""The methods paragraph of a comparison: every choice that stands behind its numbers, in sentences."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

from petquant.comparison import Comparison
from petquant.reads.carried import MOST_OUTSIDE
from petquant.reads.local_registration import ACCEPTED, METHOD
from petquant.reads.matching import NEAR_MM
from petquant.reads.paired import FEWEST
from petquant.reads.registration import LEAST_DICE, MOST_INCONSISTENT_MM
from petquant.reads.technical import TISSUES
from petquant.reads.uncertainty import COVERAGE_FACTOR
from petquant.reads.verdict import Verdict
from petquant.statistics.sign_flip import DRAWS, EXACT_CLUSTERS, SEED
from petquant.version import __version__

__all__ = ["methods_text"]


STOOD_ON: Final = ("numpy", "scipy", "SimpleITK", "pydicom")
FORCED: Final = (
    "A lesion of one scan alone was measured on the other in its region (forced read), carried over by exact "
    "occupancy onto that scan's own grid and dilated by the inverse consistency of the registration without "
    "entering other lesions; no PET was resampled. Voxels of excluded regions were taken out; with more than "
    f"{MOST_OUTSIDE:.0%} of the region excluded or outside the field of view the value is missing. SUVmax of "
    "a forced read is biased upwards by noise; where forced reads take part SUVpeak is the headline."
)
DEFAULT: Final = (
    "Default estimand: union of lesions, lesion, difference; p by sign-flip of the patients' summed "
    f"differences, exact to {EXACT_CLUSTERS} patients, else {DRAWS} draws with seed {SEED}; interval by "
    "inversion of that test. Alternatives stand beside it. p of the defaults is also adjusted over the "
    "metrics (Holm; Benjamini and Hochberg)."
)
COUNTS: Final = (
    "Concordance: McNemar (exact by default), Tango score interval of the difference, Clopper-Pearson "
    "intervals of the rates; lesions and regions also clustered by patient. A region or patient is positive "
    "with at least one positive lesion; a patient without a lesion on both scans is negative on both. Exact "
    "p region by region stand as they are and adjusted for the number of regions (Holm)."
)
AGREEMENT: Final = (
    "Agreement: Bland-Altman limits of the ratio a/b, Lin's concordance correlation with Fisher's z, "
    "ICC(1,1), (A,1), (C,1), Spearman; these take lesions for independent."
)
LOCAL: Final = (
    "Its own are noise and rounding. A ratio within a scan has the noise of lesion and background alone; a "
    "ratio of the SUV of two tracers all terms of both scans, taken for independent (an upper bound where "
    "both have calibration or weight in common), a ratio of their ratios the local terms of both. The "
    "relative noise of a lesion is taken for that of the reference tissue. Partial volume is in none of them."
)


def methods_text(comparison: Comparison) -> str:
    """Return the paragraph, one sentence or a few a line."""
    measured = [scan for scan in comparison.scans if not scan.refusals]
    refused = len(comparison.scans) - len(measured)
    patients = {scan.patient for scan in measured}
    a, b = comparison.comparisons[0].tracers
    tests = (
        f"All tests are two-sided, intervals have a level of {comparison.level:.0%}; below {FEWEST} pairs "
    )
    stood_on = ", ".join(f"{name} {version(name)}" for name in STOOD_ON)
    lines = [
        f"petquant {__version__}, research use only; with {stood_on}.",
        f"{len(measured)} scans of {len(patients)} patients were measured"
        + (f"; {refused} were refused and are listed." if refused else "."),
        f"Tracer a is {a}, tracer b is {b}; differences are a - b, ratios a/b.",
        *_units(comparison),
        _rule(comparison),
        *_protocol(comparison),
        *_matching(comparison),
        FORCED,
        DEFAULT,
        f"{tests}there is no test.",
        COUNTS,
        AGREEMENT,
        *_uncertainty(comparison),
        *_repeatability(comparison),
    ]
    return "\n".join(lines) + "\n"


def _units(comparison: Comparison) -> list[str]:
    """Return how many scans have SUV, and what those without have."""
    records = [scan.record for scan in comparison.scans if not scan.refusals]
    types = sorted({str(record["conversion"]["suv_type"]) for record in records} - {"None"})
    without = sum(record["conversion"]["suv_type"] is None for record in records)
    lines = [f"SUV type: {', '.join(types)}."] if types else []
    if without:
        lines.append(
            f"SUV was refused in {without} scans: ratios alone, on native units, all beds at one time."
        )
    return lines


def _rule(comparison: Comparison) -> str:
    source = f" ({comparison.rule_source})" if comparison.rule_source else ""
    return (
        f"Positivity: {comparison.rule}{source}; equality is negative. A reader's call overrides the rule "
        "(2 positive, 0 negative, 1 no call); what a reader found negative on both and nobody drew counts, "
        "without values."
    )


def _protocol(comparison: Comparison) -> list[str]:
    """Return how many rules of the protocol hold, fail and are not known, over all scans."""
    if not comparison.protocol:
        return []
    verdicts = [str(check.verdict) for scan in comparison.scans for check in scan.checks or ()]
    counts = ", ".join(f"{verdicts.count(one)} {one}" for one in Verdict)
    held = f"Scans were held against the protocol {comparison.protocol}: {counts}."
    return [f"{held} A rule that fails flags and stops nothing."]


def _matching(comparison: Comparison) -> list[str]:
    found = [one.registration for one in comparison.sessions if one.registration is not None]
    ids = "equal ids of regions; " if comparison.matches_ids else ""
    matching = (
        f"Lesions were matched by {ids}a reader's lesion_id, then largest sum of overlaps (Dice), then "
        f"nearest centroids up to max({NEAR_MM:g} mm, mean radius + registration error), one to one, never "
        "across contradicting region or side; lesions left over that overlap with a pair are its members."
    )
    lines = [matching]
    for method in dict.fromkeys(one.method for one in found):
        own = [one for one in found if one.method == method]
        words = f"Registration of {len(own)} pairs of scans: {method}."
        if any(one.inverse_consistency_mm for one in own):
            worst = max(one.inverse_consistency_mm for one in own), min(one.body_dice for one in own)
            words += (
                f" Inverse consistency at most {worst[0]:.2f} mm, body Dice at least {worst[1]:.3f}; refused "
                f"above {MOST_INCONSISTENT_MM:g} mm or below {LEAST_DICE:g}. Both are proxies of the error."
            )
        lines.append(words)
    around = [one for session in comparison.sessions for one in session.local.values()]
    if around:
        refined = [one.shift_mm or 0.0 for one in around if one.is_accepted]
        by = f", by {min(refined):.1f} to {max(refined):.1f} mm" if refined else ""
        lines.append(
            f"Around each lesion the registration was refined: {METHOD}; {ACCEPTED}. Refined were "
            f"{len(refined)} of {len(around)} lesions{by}."
        )
    return lines


def _uncertainty(comparison: Comparison) -> list[str]:
    """Return what the technical uncertainty holds, with every input, given or assumed."""
    inputs = ", ".join(
        f"{one.name} {one.value:g} {one.unit} ({'given' if one.source == 'given' else 'assumed'})"
        for one in comparison.uncertainty
    )
    head = f"Technical uncertainties are relative with k = {COVERAGE_FACTOR:g}, their inputs with k = 1."
    lines = [f"{head} An SUV shares with its scan: {inputs}. {LOCAL}"]
    known = [scan.technical for scan in comparison.scans if scan.technical is not None]
    stated = [one for one in known if not one.why_no_noise]
    if stated:
        widths = ", ".join(f"{width:g}" for width in sorted({one.psf_fwhm_mm or 0.0 for one in stated}))
        lines.append(
            f"Noise of {len(stated)} scans: CoV of the voxels of {', else '.join(TISSUES)}, over the root of "
            "the independent voxels in lesion (SUVmean), 1 mL sphere (SUVpeak) or background, with a "
            f"correlation width of {widths} mm FWHM, as stated; of SUVmax that of one voxel."
        )
    for why in dict.fromkeys(one.why_no_noise for one in known if one.why_no_noise):
        n = sum(one.why_no_noise == why for one in known)
        lines.append(f"{n} scans have no local uncertainty: {why}.")
    return lines


def _repeatability(comparison: Comparison) -> list[str]:
    """Return what changes are held against, with its source; of a surrogate that it is one."""
    lines = []
    for tracer, row in comparison.repeatability.items():
        needed = row.change_needed_percent
        if needed is not None:
            lines.append(
                f"Change needed, {tracer}: {needed[0]:+.1f} to {needed[1]:+.1f} % ({row.label}; "
                f"{row.citation})."
            )
    return lines
