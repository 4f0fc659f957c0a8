"""Work that may kill or hang its process, done in one of its own: embedding, training the network of efforts 2 and 3, and
training a run's network once more to predict."""

import sys

import curation
from curation import children
from curation.errors import UserError


def do(what, bench, asked, patience, say=None, progress=None, **env):
    """What WORK[what] returns for `asked`, a dict, in a process of its own; `say` and `progress` hear what it says. UserError where it fails; Lost where
    its process does, or makes no step for `patience` seconds."""
    child = children.Child("pipelines.apart", bench.path, **env)
    try:
        child.ask(what=what, path=sys.path, asked=asked)
        while "out" not in (about := child.hear(patience)):
            if "error" in about:
                raise UserError(about["error"], about["hint"])
            if "line" in about and say:
                say(about["line"])
            elif "step" in about and progress:
                progress(*about["step"])
        return about["out"]
    finally:
        child.close()


def embed(bench, tell, embedder, shard):
    from pipelines.embed import embedded

    _, new, folder = embedded(bench, bench.state().content_hash, embedder, lambda *step: tell(step=step), shard)
    return new, folder


def network(bench, tell, effort):
    from curation.arrays import load
    from pipelines.scan import network

    network(bench, bench.state(), load(bench.arrays / "graph.npz"), effort, lambda line: tell(line=line), lambda *step: tell(step=step))


def predict(bench, tell, key, ids):
    from pipelines.shadow import train_again

    train_again(bench, key, ids, lambda line: tell(line=line), lambda *step: tell(step=step))


WORK = dict(embed=embed, network=network, predict=predict)


def main(path):
    def work(ask, tell):
        from pipelines.worker import fault

        sys.path += [place for place in ask["path"] if place not in sys.path]  # an embedder of one's own may lie anywhere
        try:
            tell(out=WORK[ask["what"]](curation.open(path), tell, **ask["asked"]))
        except Exception as e:
            tell(**fault(e))

    children.serve(work)


if __name__ == "__main__":
    main(sys.argv[1])
