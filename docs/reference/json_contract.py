"""The JSON contract of petquant: every key that outputs for machines hold, with its type and meaning.

A test compares these tables with the outputs of real runs, in both directions.
"""  # noqa: INP001 - data of the script that lies beside it

from __future__ import annotations

__all__ = ["CHECK_RECORD", "CSV_COLUMNS", "JSON_RECORD", "MESSAGE_RECORD"]

Rows = tuple[tuple[str, str, str], ...]

JSON_RECORD: tuple[tuple[str, Rows], ...] = (
    (
        "Head",
        (
            ("schema_version", "integer", "1; raised when a key changes its meaning or goes away"),
            ("petquant_version", "text", ""),
            ("notice", "text", "`research use only`"),
        ),
    ),
    (
        "`study`",
        (
            ("study.key", "text", "pseudonym: 16 hex digits (see `--pseudonym-key`)"),
            ("study.study_uid", "text or null", "StudyInstanceUID; 16 hex digits with `--hash-uids`"),
            ("study.n_series", "integer", "series found in the folder, of every modality"),
            ("study.strays", "object", "what was passed over: kind to number of files"),
        ),
    ),
    (
        "`series`",
        (
            (
                "series.series_uid",
                "text or null",
                "SeriesInstanceUID of the PET; null for a NIfTI that names none",
            ),
            ("series.frame_of_reference_uid", "text or null", ""),
            ("series.modality", "text", "`PT`"),
            ("series.manufacturer", "text or null", ""),
            ("series.model", "text or null", "ManufacturerModelName"),
            ("series.reconstruction", "text or null", "ReconstructionMethod"),
            ("series.n_slices", "integer", ""),
            ("series.shape_kji", "3 integers", "slices, rows, columns"),
            ("series.spacing_mm_kji", "3 numbers", "along k the median step"),
            ("series.origin_mm_lps", "3 numbers", "centre of voxel [0, 0, 0]"),
            ("series.voxel_volume_ml", "number", ""),
            ("series.has_even_slices", "boolean", "false: every slice keeps its own position"),
            ("series.n_distinct_slopes", "integer", "different RescaleSlope values"),
            ("series.set_aside[].series_uid", "text", "every other series of the folder"),
            ("series.set_aside[].modality", "text", ""),
            ("series.set_aside[].n_files", "integer", ""),
            ("series.set_aside[].reason", "text", "why it was not taken"),
        ),
    ),
    (
        "`conversion`",
        (
            ("conversion.suv_type", "text or null", "name as `--suv` takes it; null when SUV was refused"),
            ("conversion.unit", "text or null", ""),
            ("conversion.ucum", "text or null", "UCUM code of the unit"),
            (
                "conversion.factor",
                "number, list or null",
                "SUV per rescaled value (per Bq/mL for BQML); a list has one number a slice",
            ),
            ("conversion.factors", "object", "SUV type to factor, for all types asked for"),
            ("conversion.normaliser", "number or null", "N of the SUV type: kg, or 10 m2 for bsa"),
            ("conversion.units", "text or null", "Units (0054,1001)"),
            ("conversion.suv_type_in", "text or null", "SUV type of values that were stored as SUV"),
            ("conversion.rule", "text", "the route in words"),
            ("conversion.decay_correction", "text or null", "START, ADMIN or NONE"),
            ("conversion.corrected_image", "list of text", "CorrectedImage (0028,0051)"),
            ("conversion.attenuation", "text", "corrected, assumed, absent or unknown"),
            (
                "conversion.decay_reference_at",
                "date-time or null",
                "what the voxels are decay-corrected to; here and below a clock time alone, or null, where a "
                "side-car knows no date or no clock",
            ),
            ("conversion.decay_reference_rule", "text or null", "id and name of the chosen candidate"),
            ("conversion.injected_at", "date-time or null", "on the scanner's clock"),
            ("conversion.injected_at_rule", "text or null", "as written, as given, or repaired"),
            ("conversion.earliest_acquisition_at", "date-time or null", ""),
            ("conversion.decay_interval_s", "number or null", "decay reference minus injection"),
            ("conversion.uptake_time_min", "number or null", "earliest acquisition minus injection"),
            ("conversion.injected_activity_bq", "number or null", "at the time of injection"),
            ("conversion.decayed_activity_bq", "number or null", "at the decay reference"),
            ("conversion.half_life_s", "number or null", ""),
            ("conversion.half_life_source", "text or null", "attribute or option"),
            ("conversion.nuclide", "text or null", ""),
            ("conversion.nuclide_evidence[].where", "text", "what named the nuclide"),
            ("conversion.nuclide_evidence[].found", "text", "its words"),
            ("conversion.nuclide_evidence[].nuclide", "text", ""),
            ("conversion.tracer", "text or null", ""),
            ("conversion.weight_kg", "number or null", "null when the route needs none or none is known"),
            ("conversion.height_m", "number or null", "null unless an SUV type asked for it"),
            ("conversion.sex", "text or null", "null unless an SUV type asked for it"),
            (
                "conversion.frame_reference_convention",
                "text or null",
                "what FrameReferenceTime counts to, and who says so",
            ),
            (
                "conversion.candidates[].id",
                "text",
                "S, A0, P, D, B, R, T (stated in a side-car), or O for an option",
            ),
            ("conversion.candidates[].name", "text", ""),
            ("conversion.candidates[].datetime", "date-time or null", ""),
            ("conversion.candidates[].valid", "boolean", "whether it may be chosen and heard"),
            (
                "conversion.candidates[].effect_percent",
                "number or null",
                "change of the SUV if it were used instead of the chosen one",
            ),
            ("conversion.candidates[].reason", "text", ""),
            ("conversion.overrides[].option", "text", "option that was given"),
            ("conversion.overrides[].value", "as given", ""),
            ("conversion.overrides[].replaced_value", "text or null", "what the header said"),
            ("conversion.overrides[].tag", "text or null", ""),
            ("conversion.deidentification", "object", "what the header says about its de-identification"),
            ("conversion.evidence[].quantity", "text", "every value that was used"),
            ("conversion.evidence[].value", "text", "as it was written"),
            ("conversion.evidence[].keyword", "text or null", ""),
            ("conversion.evidence[].tag", "text or null", ""),
            ("conversion.evidence[].why", "text", "`as written`, or the option that replaced it"),
            ("conversion.activity_balance", "number or null", "activity in the field of view / decayed dose"),
            ("conversion.flags", "list of text", "codes of flags and notes of the whole study"),
            ("conversion.codes[].code", "text", "every finding in full"),
            ("conversion.codes[].severity", "text", ""),
            ("conversion.codes[].keyword", "text or null", ""),
            ("conversion.codes[].tag", "text or null", ""),
            ("conversion.codes[].found", "text", ""),
            ("conversion.codes[].expected", "text or null", ""),
            ("conversion.codes[].remedy", "text or null", ""),
            ("conversion.codes[].quantities", "list of text", "`*` or the SUV types it concerns"),
        ),
    ),
    (
        "`inputs`",
        (
            ("inputs.n_files", "integer", "files of the series"),
            (
                "inputs.instances_sha256",
                "text",
                "over the sorted SOPInstanceUIDs and file sizes; of a NIfTI over the SHA-256 of its files",
            ),
            ("inputs.manifest_sha256", "text or null", "of the manifest given with `--manifest`"),
        ),
    ),
    (
        "`references`, one entry a background",
        (
            ("references[].name", "text", ""),
            ("references[].roi_source", "text", ""),
            ("references[].unit", "text", ""),
            ("references[].flags", "list of text", ""),
            ("references[].reason", "text or null", "why there is no ratio"),
        ),
    ),
    (
        "`measurements`, one entry a region and SUV type",
        (
            ("measurements[].roi_id", "integer or text", "label in the file; results are joined on it"),
            ("measurements[].roi_name", "text", ""),
            ("measurements[].role", "text", "`lesion`"),
            ("measurements[].roi_source", "text", "how the region came about"),
            ("measurements[].suv_type", "text", "`none` when SUV was refused"),
            ("measurements[].unit", "text", "of the `suv_*` columns; of `activity_*` without SUV"),
            ("measurements[].flags", "list of text", "codes of the study and of the region"),
        ),
    ),
    ("`summary` and `definitions`", ()),
)

CSV_COLUMNS: Rows = (
    ("study_key", "text", "as `study.key`"),
    ("series_uid", "text", "as `series.series_uid`"),
    ("tracer", "text", "as `conversion.tracer`"),
    ("radionuclide", "text", "as `conversion.nuclide`"),
    ("injected_activity_bq", "number", "at the time of injection"),
    ("decay_corrected_activity_bq", "number", "as `conversion.decayed_activity_bq`"),
    ("uptake_time_min", "number", ""),
    ("half_life_s", "number", ""),
    ("weight_kg", "number", ""),
    ("height_m", "number", ""),
    ("decay_reference", "date-time", "as `conversion.decay_reference_at`"),
    ("suv_rule", "text", "as `conversion.rule`"),
    ("petquant_version", "text", ""),
    ("notice", "text", "research use only"),
    ("suv_factor", "number or JSON list", "of the SUV type of the row"),
)

CHECK_RECORD: Rows = (
    ("petquant_version", "text", ""),
    ("notice", "text", ""),
    ("series[].series_uid", "text or null", ""),
    ("series[].study_uid", "text or null", ""),
    ("series[].series_number", "text or null", "SeriesNumber, which `--series` takes too"),
    ("series[].suv_type", "text", "the first SUV type asked for"),
    ("series[].n_files", "integer", ""),
    ("series[].is_computable", "boolean", "every SUV type asked for can be computed"),
    ("series[].outcome", "text", "`ok`, `flag` or `refuse`"),
    ("series[].refusals[]", "object", "as `conversion.codes[]` above: every cause"),
    ("series[].codes[]", "object", "every other finding"),
    ("series[].geometry", "object or null", "as `series` above"),
    ("series[].conversion", "object or null", "as `conversion` above, without balance and codes"),
)

MESSAGE_RECORD: Rows = (
    ("code", "text", "see [codes](codes.md)"),
    ("path", "text or null", "file"),
    ("series_uid", "text or null", ""),
    ("tag", "text or null", "`(gggg,eeee)`"),
    ("keyword", "text or null", "DICOM keyword"),
    ("found", "text", ""),
    ("expected", "text or null", ""),
    ("remedy", "text or null", "the way out"),
    ("exit_code", "integer", "0 for the caveat of a number that was computed"),
)
