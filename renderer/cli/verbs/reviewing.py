"""`resolve`, `diff` and `check`: looking before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from renderer.cli.spec import Argument, Command, Options
from renderer.cli.usage import misused
from renderer.cli.verbs.arguments import ENGINE, TREE_PLACES
from renderer.model.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from renderer.model.trees.tree import FileTree
    from renderer.ports import TreeStore


def _resolve(options: Options) -> Outcome:
    from renderer.cli import wiring
    from renderer.commands.site.resolve import resolve_profile

    profile, manifest = options.optional("profile"), options.optional("manifest")
    if (profile is None) == (manifest is None):
        raise misused("name a profile, or an extension with --manifest", "sitewright resolve profiles/demo.yaml")
    if manifest is not None:
        return _resolve_manifest(options, manifest)
    files = wiring.files_around(str(profile))
    with wiring.told_from_here(files) as told:
        return told(resolve_profile(wiring.workspace(files), files.relative(str(profile))))


def _resolve_manifest(options: Options, manifest: str) -> Outcome:
    from pathlib import Path

    from renderer.cli import wiring
    from renderer.commands.site.resolve import resolve_manifest
    from renderer.model.reference import Platform
    from renderer.model.version import Version

    try:
        kubernetes = Version.parse(options.text("kubernetes"))
        platforms = [Platform.parse(text) for text in options.texts("platform") or ("linux/amd64",)]
    except ValueError as error:
        raise misused(str(error), "--kubernetes 1.31.4 --platform linux/amd64") from error
    named = manifest if "/" in manifest else f"./{manifest}"
    files = wiring.WithFile(wiring.files_around(options.text("trust")), named)
    with wiring.told_from_here(files) as told:
        bundles = [str(Path(path).absolute()) for path in options.texts("bundle")]
        trust = files.relative(options.text("trust"))
        space = wiring.workspace(files)
        return told(resolve_manifest(space, named, bundles, trust, kubernetes=kubernetes, platforms=platforms))


def _diff(options: Options) -> Outcome:
    from pathlib import Path

    from renderer.commands.diff import diff_trees

    names = options.texts("what")
    if len(names) == 1 and Path(names[0]).is_dir():
        before, after = _diff_directories(Path(names[0]), options)
    else:
        before, after = _diff_profiles(options)
    return diff_trees(before, after, form=options.text("format"), fail_on_change=options.flag("exit-code"))


def _diff_directories(directory: Path, options: Options) -> tuple[Mapping[str, FileTree], Mapping[str, FileTree]]:
    from pathlib import Path

    from renderer.adapters.git.revision import GitRevision, repository_around
    from renderer.cli import wiring
    from renderer.cli.trees import trees_in

    against = options.optional("against")
    if against is None:
        raise misused("a tree needs another one to be compared with", f"sitewright diff {directory} --against HEAD~1")
    after = trees_in(directory)
    if Path(against).is_dir():
        before = trees_in(Path(against))
        if len(before) == len(after) == 1:
            before = dict(zip(after, before.values(), strict=True))
        return before, after
    top = repository_around(directory)
    if top is None:
        raise misused(f"`{directory}` lies in no git repository, so `{against}` must be a directory", "--against DIR")
    below = directory.absolute().relative_to(top)
    old = GitRevision(Path(wiring.shown(top)), against)
    return {root: old.load((below / root).as_posix().removeprefix("./").removesuffix("/.")) for root in after}, after


def _diff_profiles(options: Options) -> tuple[Mapping[str, FileTree], Mapping[str, FileTree]]:
    from renderer.cli import wiring
    from renderer.commands.site.render import render_sites

    profiles = options.texts("what")
    files = wiring.files_around(profiles[0])
    store = _place_to_compare_with(options)
    with wiring.told_from_here(files):
        rendered = render_sites(wiring.workspace(files, options), wiring.relative(files, profiles), store)
    return {one.site.root: one.previous for one in rendered}, {one.site.root: one.tree for one in rendered}


def _place_to_compare_with(options: Options) -> TreeStore:
    from pathlib import Path

    from renderer.adapters.directory import DirectoryStore
    from renderer.adapters.git.revision import GitRevision, repository_around
    from renderer.cli import wiring

    against = options.optional("against")
    if against is None:
        store = wiring.store(options)
        if store is None:
            raise misused(
                "name what to compare with", "add --against DIR, --out DIR, or --repo REPOSITORY --branch BRANCH"
            )
        return store
    if Path(against).is_dir():
        return DirectoryStore(against)
    top = Path(options.optional("repo") or repository_around(Path.cwd()) or ".")
    return GitRevision(top, against)


def _check(options: Options) -> Outcome:
    from pathlib import Path

    from renderer.cli.trees import named, trees_in
    from renderer.commands.check import check

    names = [Path(name) for name in options.texts("what")]
    if len({name.is_dir() for name in names}) > 1:
        raise misused("name rendered trees or profiles, not both at once", "sitewright check build/demo")
    if names[0].is_dir():
        return check({shown: tree for name in names for shown, tree in named(trees_in(name), name).items()})
    return _check_profiles(options)


def _check_profiles(options: Options) -> Outcome:
    """Render in memory: a render that would fail fails here."""
    from renderer.cli import wiring
    from renderer.cli.trees import NothingYet
    from renderer.commands.site.render import render_sites

    profiles = options.texts("what")
    files = wiring.files_around(profiles[0])
    with wiring.told_from_here(files) as told:
        rendered = render_sites(wiring.workspace(files, options), wiring.relative(files, profiles), NothingYet())
        lines = [f"{one.site.root}: {len(one.tree)} files, no fault that stops a render" for one in rendered]
        return told(
            Outcome(
                text="\n".join(lines),
                document={"sites": [{"root": one.site.root, "files": len(one.tree)} for one in rendered]},
                findings=tuple(finding for one in rendered for finding in one.judgement.findings),
            )
        )


RESOLVE: Final = Command(
    name="resolve",
    summary="Show which versions would be chosen, or explain why none can be.",
    description=(
        "For a profile: what `sitewright lock` would choose. With --manifest: what a KubeSphere extension needs out of "
        "the bundles, without any profile. Nothing is written; the network is never used."
    ),
    arguments=(
        Argument(names=("profile",), help="the profile of a site", takes="maybe"),
        Argument(names=("--manifest",), help="an extension.yaml", metavar="FILE"),
        Argument(names=("--bundle",), help="a bundle to resolve from", takes="repeated", metavar="PATH"),
        Argument(names=("--trust",), help="the trust policy for --bundle", metavar="FILE", default="trust.yaml"),
        Argument(names=("--kubernetes",), help="the version of the cluster, with --manifest", default="1.31.0"),
        Argument(names=("--platform",), help="a platform of the cluster, with --manifest", takes="repeated"),
        Argument(names=("--offline",), help="always so; accepted because scripts say it", takes="none"),
    ),
    examples=(
        "sitewright resolve profiles/demo.yaml",
        "sitewright resolve --offline --manifest extension.yaml --bundle bundles/kubesphere.tar --trust trust.yaml",
    ),
    handler=_resolve,
)
DIFF: Final = Command(
    name="diff",
    summary="Show what a render would change: objects, fields, risks.",
    description=(
        "Profiles are rendered in memory and compared with what --out, --repo or --against holds; a rendered tree is "
        "compared with another directory or with a git revision. Values of Secrets are never shown."
    ),
    arguments=(
        Argument(names=("what",), help="profiles, or one rendered tree", takes="many", metavar="PROFILE|TREE"),
        Argument(names=("--against",), help="a directory, or a git revision", metavar="DIR|REV"),
        *TREE_PLACES,
        Argument(names=("--exit-code",), help="end with 1 when anything differs", takes="none"),
        ENGINE,
    ),
    formats=("text", "markdown", "json"),
    examples=(
        "sitewright diff profiles/demo.yaml --repo ../gitops --branch main",
        "sitewright diff ../gitops/sites/demo --against HEAD~1",
        "sitewright diff profiles/demo.yaml --out build/demo --format markdown > comment.md",
    ),
    handler=_diff,
)
CHECK: Final = Command(
    name="check",
    summary="Check that a rendered tree is what was rendered, or that a site can be rendered.",
    description=(
        "A tree: the files are those that records/provenance.json vouches for, every file is one object, none is there "
        "twice. A profile: it is rendered in memory and judged; nothing is written."
    ),
    arguments=(
        Argument(names=("what",), help="rendered trees, or profiles", takes="many", metavar="TREE|PROFILE"),
        ENGINE,
    ),
    examples=("sitewright check build/demo", "sitewright check profiles/*.yaml"),
    handler=_check,
)
