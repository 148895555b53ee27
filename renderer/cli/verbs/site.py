"""Commands about sites: what a site owner types, in the order of the work."""

from __future__ import annotations

from typing import Final

from renderer.cli.spec import Argument, Command, Options
from renderer.cli.verbs.arguments import ENGINE, PROFILE, PROFILES, TREE_PLACES
from renderer.model.outcome import Outcome


def _init(options: Options) -> Outcome:
    from pathlib import Path

    from renderer.adapters.files import WorkingTree
    from renderer.adapters.layout import open_layout
    from renderer.adapters.package_data import schema
    from renderer.commands.init import init
    from renderer.model.site import GitOpsAgent

    directory = Path(options.optional("directory") or ".")
    directory.mkdir(parents=True, exist_ok=True)
    name = options.optional("name") or directory.absolute().name
    files = WorkingTree(directory, lambda place: open_layout(place, str(place)))
    return init(files, name=name, agent=GitOpsAgent(options.text("agent")), schemas=schema)


def _validate(options: Options) -> Outcome:
    from renderer.adapters.package_data import schema
    from renderer.cli import wiring
    from renderer.commands.validate import validate

    profiles = options.texts("profile")
    files = wiring.files_around(profiles[0])
    with wiring.told_from_here(files) as told:
        return told(validate(files, wiring.relative(files, profiles), schemas=schema, explain=options.flag("explain")))


def _lock(options: Options) -> Outcome:
    from renderer.cli import wiring
    from renderer.commands.site.capturing import Renewal
    from renderer.commands.site.lock import lock

    profiles = options.texts("profile")
    files = wiring.files_around(profiles[0])
    with wiring.told_from_here(files) as told:
        space = wiring.workspace(files, options)
        paths = wiring.relative(files, profiles)
        renewal = Renewal(
            groups=options.texts("rotate"), expiring=options.optional("expiring"), moves=options.texts("move")
        )
        check = options.flag("check")
        return told(lock(space, paths, check=check, upgrade=options.texts("upgrade"), renewal=renewal))


def _tree(options: Options) -> Outcome:
    from renderer.cli import wiring
    from renderer.commands.site.resolve import tree

    files = wiring.files_around(options.text("profile"))
    with wiring.told_from_here(files) as told:
        return told(tree(wiring.workspace(files), files.relative(options.text("profile"))))


def _why(options: Options) -> Outcome:
    from renderer.cli import wiring
    from renderer.commands.site.resolve import why

    files = wiring.files_around(options.text("profile"))
    with wiring.told_from_here(files) as told:
        return told(why(wiring.workspace(files), files.relative(options.text("profile")), options.text("name")))


def _outdated(options: Options) -> Outcome:
    from renderer.cli import stores, wiring
    from renderer.commands.site.outdated import outdated

    files = wiring.files_around(options.text("profile"))
    with wiring.told_from_here(files) as told:
        places = [stores.bundle_store(directory) for directory in options.texts("store") or (stores.PLACE,)]
        return told(outdated(wiring.workspace(files), files.relative(options.text("profile")), places))


def _values(options: Options) -> Outcome:
    from renderer.cli import wiring
    from renderer.commands.site.values import values

    files = wiring.files_around(options.text("profile"))
    with wiring.told_from_here(files) as told:
        profile = files.relative(options.text("profile"))
        space = wiring.workspace(files)
        return told(values(space, profile, options.text("extension"), explain=options.flag("explain")))


def _render(options: Options) -> Outcome:
    from renderer.cli import wiring
    from renderer.cli.usage import misused
    from renderer.commands.site.render import render_and_publish

    profiles = options.texts("profile")
    files = wiring.files_around(profiles[0])
    store = wiring.store(options)
    if store is None:
        raise misused(
            "the trees need a place to go: a directory or a git repository",
            f"sitewright render {' '.join(profiles)} --out build",
            "sitewright render",
        )
    with wiring.told_from_here(files) as told:
        space = wiring.workspace(files, options)
        author = wiring.author(options, space.now)
        return told(render_and_publish(space, wiring.relative(files, profiles), store=store, author=author))


def _mirrors(options: Options) -> Outcome:
    from pathlib import Path

    from renderer.adapters.files import WorkingTree
    from renderer.adapters.layout import open_layout
    from renderer.cli import wiring
    from renderer.commands.site.mirrors import mirrors
    from renderer.structs import replace

    files = wiring.files_around(options.text("profile"))
    with wiring.told_from_here(files) as told:
        profile = files.relative(options.text("profile"))
        outcome, tree = mirrors(wiring.workspace(files), profile, runtimes=options.texts("runtime"))
    out = options.optional("out")
    if out is None:
        shown = [f"\n# {path}\n{content.decode(errors='replace').rstrip()}" for path, content in tree.items()]
        return told(replace(outcome, text="\n".join([outcome.text, *shown])))
    Path(out).mkdir(parents=True, exist_ok=True)
    place = WorkingTree(Path(out), lambda path: open_layout(path, str(path)))
    for path, content in tree.items():
        place.write(path, content)
    return told(outcome)


INIT: Final = Command(
    name="init",
    summary="Make a working site repository: profile, trust policy, CI example.",
    description="Files that are there already are kept; a profile is never replaced.",
    arguments=(
        Argument(names=("directory",), help="where to write (default: here)", takes="maybe", completes="directories"),
        Argument(names=("--name",), help="name of the site (default: name of the directory)"),
        Argument(names=("--agent",), help="who applies the tree", choices=("argocd", "flux"), default="argocd"),
    ),
    examples=("sitewright init branch-017", "sitewright init . --name branch-018 --agent flux"),
    handler=_init,
)
VALIDATE: Final = Command(
    name="validate",
    summary="Check profiles and trust policies: every fault, with line and column.",
    arguments=(
        PROFILES,
        Argument(names=("--explain",), help="show every key with the file and line that set it", takes="none"),
    ),
    examples=("sitewright validate profiles/*.yaml", "sitewright validate profiles/demo.yaml --explain"),
    handler=_validate,
)
LOCK: Final = Command(
    name="lock",
    summary="Resolve what a site enables, verify its bundles, and write every version and digest to the lock.",
    description=(
        "Versions that are locked stay while they fit; --upgrade moves one extension and what it must. "
        "The lock lies beside the profile (profiles/demo.lock.yaml). Commit it; review it like code. "
        "Values that charts invent are captured once, sealed to the recipients of the profile, and kept beside it "
        "(profiles/demo.generated.yaml); --rotate and --expiring capture some of them anew and say what restarts. "
        "Private keys are looked for where SOPS does (SOPS_AGE_KEY_FILE), and only when something sealed has to be "
        "opened."
    ),
    arguments=(
        PROFILES,
        Argument(names=("--check",), help="write nothing; end with 1 when the lock has drifted", takes="none"),
        Argument(
            names=("--upgrade",), help="move this extension to its newest version", takes="repeated", metavar="NAME"
        ),
        Argument(
            names=("--rotate",),
            help="capture this group of generated values anew",
            takes="repeated",
            metavar="GROUP",
            completes="nothing",
        ),
        Argument(
            names=("--expiring",),
            help="capture groups anew whose certificates end within this time",
            metavar="30d",
            completes="nothing",
        ),
        Argument(
            names=("--move",),
            help="let a group take over the values of one that is gone",
            takes="repeated",
            metavar="OLD=NEW",
            completes="nothing",
        ),
        ENGINE,
    ),
    examples=(
        "sitewright lock profiles/demo.yaml",
        "sitewright lock profiles/demo.yaml --upgrade vector",
        "sitewright lock profiles/demo.yaml --rotate ks-core/ks-apiserver-tls",
        "sitewright lock profiles/*.yaml --check",
    ),
    handler=_lock,
)
TREE: Final = Command(
    name="tree",
    summary="Show the locked extensions of a site, and who requires whom.",
    arguments=(PROFILE,),
    examples=("sitewright tree profiles/demo.yaml",),
    handler=_tree,
)
WHY: Final = Command(
    name="why",
    summary="Say why an extension or an image is part of a site.",
    arguments=(PROFILE, Argument(names=("name",), help="an extension or an image", completes="nothing")),
    examples=("sitewright why profiles/demo.yaml vector", "sitewright why profiles/demo.yaml docker.io/library/nginx"),
    handler=_why,
)
OUTDATED: Final = Command(
    name="outdated",
    summary="Show what newer bundles offer a site, as far as its trust policy accepts them.",
    description=(
        "`admitted` is the newest version that the profile asks for, `newest` the newest of all. What fits together "
        "is decided by `sitewright lock --upgrade NAME`."
    ),
    arguments=(
        PROFILE,
        Argument(
            names=("--store",),
            help="a directory of bundles (default: bundles; again for more)",
            takes="repeated",
            metavar="DIR",
            completes="directories",
        ),
    ),
    examples=("sitewright outdated profiles/demo.yaml --store /media/usb/bundles",),
    handler=_outdated,
)
VALUES: Final = Command(
    name="values",
    summary="Show the values that an extension gets on a site, and which file set each of them.",
    description="What the chart's own values.yaml says lies below these values and is not shown.",
    arguments=(
        PROFILE,
        Argument(names=("extension",), help="an enabled extension", completes="nothing"),
        Argument(names=("--explain",), help="one line for each key, with the layer that set it", takes="none"),
    ),
    examples=("sitewright values profiles/demo.yaml web --explain",),
    handler=_values,
)
RENDER: Final = Command(
    name="render",
    summary="Render sites into a directory, a git commit, or a merge request.",
    description=(
        "All sites of one call become one commit. What did not change is not written; without any change there is no "
        "commit. An interrupted run leaves the old state or the new one. Needs no network but for --repo URL."
    ),
    arguments=(
        PROFILES,
        *TREE_PLACES,
        Argument(
            names=("--push",), help="push the commit; a branch that has moved on is not overwritten", takes="none"
        ),
        Argument(
            names=("--merge-request",),
            help="push to sitewright/<site> instead and ask the server for a merge request",
            takes="none",
        ),
        Argument(
            names=("--agit",),
            help="ask for it by pushing to refs/for/BRANCH, as Gitea, Forgejo and Gerrit understand it",
            takes="none",
        ),
        Argument(names=("--author",), help="who commits (default: as git is configured)", metavar="'NAME <EMAIL>'"),
        ENGINE,
    ),
    examples=(
        "sitewright render profiles/demo.yaml --out build/demo",
        "sitewright render profiles/*.yaml --repo ../gitops --branch main",
        "sitewright render profiles/demo.yaml --repo ssh://git@git.site/gitops.git --branch main --merge-request",
    ),
    handler=_render,
)
MIRRORS: Final = Command(
    name="mirrors",
    summary="Show how nodes reach the site registry, and write their configuration.",
    description="Needs the profile and its lock only: no bundle is read, nothing is rendered.",
    arguments=(
        PROFILE,
        Argument(
            names=("--runtime",),
            help="write the files of this runtime (default: what the profile says the nodes have; again for more)",
            takes="repeated",
            choices=("containerd", "cri-o", "docker", "k3s", "openshift", "policy", "rke2", "talos"),
        ),
        Argument(
            names=("--out", "-o"), help="write the files below this directory", metavar="DIR", completes="directories"
        ),
    ),
    examples=(
        "sitewright mirrors profiles/demo.yaml",
        "sitewright mirrors profiles/demo.yaml --out build",
        "sitewright mirrors profiles/demo.yaml --runtime cri-o --runtime policy --out build",
    ),
    handler=_mirrors,
)
