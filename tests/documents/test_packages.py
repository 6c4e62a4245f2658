from collections.abc import Mapping

import pytest

from tasks.base.errors import DocumentFailed
from tasks.documents.readers.kinds import kind_of
from tasks.documents.readers.package import Package, parsed, resolved
from tests.documents import made

OFFICE = "application/vnd.openxmlformats-officedocument"
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
STRICT_RELATION = "http://purl.oclc.org/ooxml/officeDocument/relationships/officeDocument"
TRANSITIONAL = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/wordprocessingml/main"
WORD_TYPE = f"{OFFICE}.wordprocessingml.document.main+xml"


def package(
    part: str,
    content_type: str,
    *,
    target: str = "",
    relation: str = RELATION,
    root: str = "x",
    more: Mapping[str, str] | None = None,
) -> bytes:
    """A package of one part, to which its relationship leads."""
    types = f'<Override PartName="/{part}" ContentType="{content_type}"/>' if content_type else ""
    shown = f'<Relationship Id="r" Type="{relation}" Target="{target or part}"/>' if relation else ""
    members = {
        "[Content_Types].xml": f'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">{types}</Types>',
        "_rels/.rels": f'<Relationships xmlns="{made.RELATIONS}">{shown}</Relationships>',
        part: f"<{root}/>",
    }
    return made.zipped({name: text for name, text in {**members, **(more or {})}.items() if text})


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        (f"{OFFICE}.wordprocessingml.document.main+xml", "docx"),
        (f"{OFFICE}.wordprocessingml.template.main+xml", "docx"),
        ("application/vnd.ms-word.document.macroEnabled.main+xml", "docx"),
        ("application/vnd.ms-word.template.macroEnabledTemplate.main+xml", "docx"),
        (f"{OFFICE}.presentationml.presentation.main+xml", "pptx"),
        (f"{OFFICE}.presentationml.slideshow.main+xml", "pptx"),
        (f"{OFFICE}.presentationml.template.main+xml", "pptx"),
        ("application/vnd.ms-powerpoint.presentation.macroEnabled.main+xml", "pptx"),
        ("application/vnd.ms-powerpoint.slideshow.macroEnabled.main+xml", "pptx"),
        ("application/vnd.ms-powerpoint.template.macroEnabled.main+xml", "pptx"),
        (f"{OFFICE}.spreadsheetml.sheet.main+xml", "xlsx"),
        (f"{OFFICE}.spreadsheetml.template.main+xml", "xlsx"),
        ("application/vnd.ms-excel.sheet.macroEnabled.main+xml", "xlsx"),
        ("application/vnd.ms-excel.template.macroEnabled.main+xml", "xlsx"),
        (WORD_TYPE.upper(), "docx"),
    ],
)
@pytest.mark.parametrize("name", ["a.docx", "a.zip", "a.pdf", "a"])
def test_an_office_file_is_known_by_the_type_of_its_main_part_whatever_its_names(
    content_type: str, kind: str, name: str
) -> None:
    assert kind_of(package("odd/main2.xml", content_type), name) == kind


@pytest.mark.parametrize(
    ("part", "target"),
    [
        ("word/document2.xml", "word/document2.xml"),
        ("word/document2.xml", "/word/document2.xml"),
        ("word/document2.xml", "./word/document2.xml"),
        ("word/document2.xml", "/word/../word/document2.xml"),
        ("word/document.xml", "word\\document.xml"),
        ("word\\document.xml", "word/document.xml"),
        ("Word/Document.xml", "word/document.XML"),
        ("word/my text.xml", "word/my%20text.xml"),
        ("word/my%20text.xml", "word/my%20text.xml"),
        ("main.xml", "main.xml#here"),
        ("a/b/c/d.bin", "/a/b/c/d.bin"),
        ("textë.xml", "text%C3%AB.xml"),
    ],
)
@pytest.mark.parametrize("relation", [RELATION, STRICT_RELATION])
def test_a_relationship_leads_to_its_part_in_each_spelling(part: str, target: str, relation: str) -> None:
    data = package(part, WORD_TYPE, target=target, relation=relation)
    assert kind_of(data, "a") == "docx"
    main = Package(data).main()
    assert main is not None
    assert Package(data).read(main) == (b"<x/>", True)


@pytest.mark.parametrize(
    ("content_type", "relation", "part", "root"),
    [
        ("", RELATION, "main.xml", "w:document"),
        ("", RELATION, "main.xml", "document"),
        ("", RELATION, "main.xml", f'document xmlns="{STRICT}"'),
        ("application/xml", RELATION, "main.xml", "w:document"),
        (WORD_TYPE, "", "main.xml", "x"),
        (WORD_TYPE, "", "word/document5.xml", "x"),
        (WORD_TYPE, RELATION.replace("officeDocument", "other"), "main.xml", "x"),
        ("", "", "word/document.xml", "x"),
        ("", "", "WORD/DOCUMENT.XML", "x"),
        ("", "", "word\\document.xml", "x"),
    ],
)
def test_a_package_that_lacks_a_type_or_a_relationship_is_known_all_the_same(
    content_type: str, relation: str, part: str, root: str
) -> None:
    assert kind_of(package(part, content_type, relation=relation, root=root), "a") == "docx"


def odf(media: str, *, manifest: bool = False) -> bytes:
    if manifest:
        return made.zipped({"META-INF/manifest.xml": f'<m:file-entry m:full-path="/" m:media-type="{media}"/>'})
    return made.zipped({"mimetype": media, "content.xml": "<x/>", "META-INF/manifest.xml": "<x/>"})


DOCUMENT = "application/vnd.oasis.opendocument"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (odf(f"{DOCUMENT}.text"), "an OpenDocument text (ODT): save it as DOCX"),
        (odf(f"{DOCUMENT}.text-template"), "an OpenDocument text (ODT): save it as DOCX"),
        (odf(f"{DOCUMENT}.text-master"), "an OpenDocument text (ODT): save it as DOCX"),
        (odf(f"{DOCUMENT}.text\n"), "an OpenDocument text (ODT): save it as DOCX"),
        (odf(f"{DOCUMENT}.text", manifest=True), "an OpenDocument text (ODT): save it as DOCX"),
        (odf(f"{DOCUMENT}.spreadsheet"), "an OpenDocument spreadsheet (ODS): save it as XLSX"),
        (odf(f"{DOCUMENT}.spreadsheet", manifest=True), "an OpenDocument spreadsheet (ODS): save it as XLSX"),
        (odf(f"{DOCUMENT}.spreadsheet-template"), "an OpenDocument spreadsheet (ODS): save it as XLSX"),
        (odf(f"{DOCUMENT}.presentation"), "an OpenDocument presentation (ODP): save it as PPTX"),
        (odf(f"{DOCUMENT}.graphics"), "an OpenDocument drawing (ODG): save it as PDF"),
        (odf(f"{DOCUMENT}.formula"), "an OpenDocument formula (ODF): save it as PDF"),
        (odf(f"{DOCUMENT}.base"), "an OpenDocument database (ODB): save its tables as CSV"),
        (odf("application/vnd.sun.xml.writer"), "an OpenOffice 1 text (SXW): save it as DOCX"),
        (odf("application/vnd.sun.xml.calc"), "an OpenOffice 1 spreadsheet (SXC): save it as XLSX"),
        (
            package("xl/workbook.bin", "application/vnd.ms-excel.sheet.binary.macroEnabled.main"),
            "a binary Excel workbook (XLSB): save it as XLSX",
        ),
        (
            package("fixed.fdseq", "", relation="http://schemas.microsoft.com/xps/2005/06/fixedrepresentation"),
            "an XPS document in a ZIP archive: save it as PDF",
        ),
        (
            package(
                "visio/document.xml", "", relation="http://schemas.microsoft.com/visio/2010/relationships/document"
            ),
            "a Visio drawing (VSDX): save it as PDF",
        ),
        (made.zipped({"Index/Document.iwa": "x"}), "an Apple Pages, Numbers or Keynote document: export it as DOCX"),
    ],
)
@pytest.mark.parametrize("name", ["a.odt", "a.docx", "a.zip"])
def test_a_package_without_a_reader_is_named_with_what_to_save_it_as(data: bytes, words: str, name: str) -> None:
    with pytest.raises(DocumentFailed) as failed:
        kind_of(data, name)
    assert failed.value.reason == "not_text"
    assert str(failed.value).startswith(f"this is {words}")
    assert "unpack" not in str(failed.value)


@pytest.mark.parametrize(
    "members",
    [
        {"META-INF/MANIFEST.MF": "Manifest-Version: 1.0", "A.class": "x"},
        {"AndroidManifest.xml": "x", "classes.dex": "x", "META-INF/MANIFEST.MF": "x"},
        {"doc.kml": "<kml/>"},
        {"[Content_Types].xml": "<Types/>", "3D/3dmodel.model": "<model/>", "_rels/.rels": "<Relationships/>"},
        {"notes.txt": "x"},
        {"mimetype": "image/openraster", "stack.xml": "<x/>"},
        {"mimetype": "application/epub+zip"},
        {"a.docx": "x", "b.docx": "x"},
        {"folder/word/document.xml": "<x/>"},
        {"[Content_Types].xml": "not XML", "_rels/.rels": "neither"},
        {"package/services/metadata/core-properties/a.psmdcp": "x", "a.nuspec": "<package/>"},
    ],
)
def test_another_zip_file_is_an_archive_to_be_unpacked(members: Mapping[str, str]) -> None:
    with pytest.raises(DocumentFailed, match="this is a ZIP archive: unpack it") as failed:
        kind_of(made.zipped(members), "a.docx")
    assert failed.value.reason == "not_text"


@pytest.mark.parametrize("media", ["application/epub+zip", "application/epub+zip\r\n", ""])
def test_an_epub_is_known_by_its_container(media: str) -> None:
    members = {"META-INF/container.xml": "<container/>"} | ({"mimetype": media} if media else {})
    assert kind_of(made.zipped(members), "a.zip") == "epub"


def test_an_office_file_whose_main_part_is_lost_is_damaged() -> None:
    data = package("word/document.xml", WORD_TYPE, target="word/gone.xml").replace(
        b"word/document.xml", b"word/elsewhere.xm"
    )
    with pytest.raises(DocumentFailed, match="lacks its main part") as failed:
        kind_of(data, "a.docx")
    assert failed.value.reason == "damaged"


@pytest.mark.parametrize(
    ("folder", "target", "name"),
    [
        ("word", "styles.xml", "word/styles.xml"),
        ("word", "/word/styles.xml", "word/styles.xml"),
        ("word", "../customXml/item1.xml", "customXml/item1.xml"),
        ("word", "../../../etc/passwd", "etc/passwd"),
        ("", "word/document.xml", "word/document.xml"),
        ("word", "media\\image1.png", "word/media/image1.png"),
    ],
)
def test_a_target_is_relative_to_its_part(folder: str, target: str, name: str) -> None:
    assert resolved(folder, target) == name


def test_a_strict_part_is_read_in_the_transitional_namespaces() -> None:
    for uri, root in ((STRICT, TRANSITIONAL), (TRANSITIONAL, TRANSITIONAL)):
        tree, damage = parsed(f'<d xmlns="{uri}"/>'.encode())
        assert (tree.tag, damage) == (f"{{{root}}}d", "")


@pytest.mark.parametrize("text", [b"", b"no XML", b"\0\0"])
def test_what_is_no_xml_has_no_tree(text: bytes) -> None:
    tree, damage = parsed(text)
    assert tree is None
    assert damage


NUMBERS = "".join(f"<n>{number}</n>" for number in range(2_000))


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


@pytest.mark.parametrize("share", [0.2, 0.4, 0.5, 0.6, 0.8])
def test_a_part_is_read_up_to_its_damage(share: float) -> None:
    data = made.zipped({"a.xml": NUMBERS})
    part = Package(flipped(data, int(len(data) * share))).read("a.xml")
    assert not part.whole
    assert part.data.startswith(b"<n>0</n><n>1</n>")


def test_a_part_whose_checksum_is_wrong_is_read_but_not_whole() -> None:
    data = made.zipped({"a.xml": NUMBERS})
    central = data.index(b"PK\x01\x02")
    assert Package(flipped(data, central + 16)).read("a.xml") == (NUMBERS.encode(), False)


@pytest.mark.parametrize("name", [b"b.xml", b"a\\xml", b"A.XML"])
def test_a_part_whose_own_header_has_another_name_is_whole(name: bytes) -> None:
    data = made.zipped({"a.xml": NUMBERS}).replace(b"a.xml", name, 1)
    assert Package(data).read("a.xml") == (NUMBERS.encode(), True)


def test_a_part_that_isnt_there_is_empty() -> None:
    assert Package(made.zipped({"a.xml": "x"})).read("gone.xml") == (b"", False)
