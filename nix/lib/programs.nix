# The OP Stack's programs: ec-op-stack/data/programs.json, which the doctor and the scripts read too.
let
  inherit (builtins)
    filter
    foldl'
    fromJSON
    listToAttrs
    map
    readFile
    ;
  list = fromJSON (readFile ../../ec-op-stack/data/programs.json);

  placed =
    own: listener:
    {
      "${listener.name}.addr" = own.address;
      "${listener.name}.port" = own.ports.${listener.option};
    }
    # placed all the same: an operator may turn it on by its flag
    // (
      if listener.enabledBy == null || listener.name == "pprof" then
        { }
      else
        { ${listener.enabledBy} = true; }
    );
in
rec {
  byName = listToAttrs (
    map (program: {
      inherit (program) name;
      value = program;
    }) list
  );

  # those that run on a host, in the table's order
  services = filter (program: program.component != null) list;
  # those that scripts/op-stack/tools/build makes
  built = filter (program: program.package != null) list;

  # which of them runs as a component of a release set
  nameOf = release: component: if component == "execution" then release.execution else component;

  # the flags that place a program's listeners and turn them on
  listenerFlags =
    name: own: foldl' (flags: listener: flags // placed own listener) { } byName.${name}.listeners;
}
