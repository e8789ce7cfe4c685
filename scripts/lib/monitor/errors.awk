# Keeps the ERROR lines of the colors' logs (JSON or text) and prints each as `TIME<tab>COLOR<tab>TEXT`.

tolower($0) !~ /("level":"error"|level=error)/ { next }

{
  text = field("msg")
  cause = field("error")
  if (cause == "") cause = field("err")
  if (cause != "") text = text ": " cause
  at = field("time")
  if (match(at, /[0-9][0-9]:[0-9][0-9]:[0-9][0-9]/)) at = substr(at, RSTART, RLENGTH)
  print (at == "" ? "--:--:--" : at) "\t" field("color") "\t" (text == "" ? $0 : text)
}

function field(name,   rest) {
  rest = $0
  if (sub(".*\"" name "\":\"", "", rest)) return until_quote(rest)
  rest = " " $0
  if (sub(".* " name "=\"", "", rest)) return until_quote(rest)
  if (sub(".* " name "=", "", rest)) { sub(/ .*/, "", rest); return rest }
  return ""
}

# Up to the first quote that is not escaped, with the escapes taken out.
function until_quote(rest,   i, c, out) {
  for (i = 1; i <= length(rest); i++) {
    c = substr(rest, i, 1)
    if (c == "\"") break
    if (c == "\\") { i++; c = substr(rest, i, 1); if (c ~ /[ntr]/) c = " " }
    out = out c
  }
  return out
}
