# Flags as an attribute set → the argument list, ordered by name.
#
#   null     not given
#   true     --flag
#   false    --flag=false, or nothing where the program's parser knows no such form (`clap`)
#   list     --flag=a,b; an empty list is not given
{ clap }:
settings:
let
  value =
    v:
    if builtins.isList v then
      builtins.concatStringsSep "," (map value v)
    else if builtins.isBool v then
      (if v then "true" else "false")
    else
      toString v;
  argument =
    name:
    let
      v = settings.${name};
    in
    if v == null || v == [ ] || (clap && v == false) then
      [ ]
    else if v == true then
      [ "--${name}" ]
    else
      [ "--${name}=${value v}" ];
in
builtins.concatMap argument (builtins.attrNames settings)
