"""One OCI registry over HTTP (distribution-spec v1.1); `opening.open_registry` makes a `renderer.ports.Registry`."""
