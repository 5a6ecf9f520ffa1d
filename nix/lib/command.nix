# What is executed. Programs that take a key only from the environment are started by a shell that reads it from a
# file: so neither the unit, nor the container's description, nor an argument has it.
settings: component:
let
  variables = component.environmentFromFiles;
  quote = s: "'" + builtins.replaceStrings [ "'" ] [ "'\\''" ] s + "'";
  read =
    name:
    let
      file = variables.${name};
    in
    ''
      IFS= read -r ${name} <${quote file} || [ -n "''${${name}}" ]
      [ -n "''${${name}}" ] || { echo ${quote "${file} is empty"} >&2; exit 78; }
      export ${name}
    '';
  script =
    "set -eu\n"
    + builtins.concatStringsSep "" (map read (builtins.attrNames variables))
    + "exec \"$@\"\n";
  plain = [ component.program ] ++ component.args;
in
if variables == { } then
  plain
else
  [
    settings.paths.shell
    "-c"
    script
    component.name
  ]
  ++ plain
