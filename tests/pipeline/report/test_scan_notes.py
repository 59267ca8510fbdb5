from pipeline.report.sections.run import scan_section


def test_what_the_scan_found_odd_and_how_many_files_have_no_label_is_reported(extraction):
    remarks = ("2 rows of partial.csv match no file, e.g. audio/gone1.wav",)
    counts = extraction.counts.replace(scanned=sum(extraction.class_balance.values()) + 300)
    content = extraction.replace(plan=extraction.plan.replace(learn=True), counts=counts, scan_notes=remarks)
    words = scan_section(content).words
    assert "300 files without a label: extracted, not learned from." in words
    assert words[-1] == "Note: 2 rows of partial.csv match no file, e.g. audio/gone1.wav."
    assert not [word for word in scan_section(extraction).words if "label" in word or "Note" in word]
