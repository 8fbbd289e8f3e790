(function () {
  "use strict";
  var root = document.documentElement;
  var radios = document.querySelectorAll("input[name=language]");
  function show(language) {
    radios.forEach(function (radio) { radio.checked = radio.value === language; });
    root.lang = language;
    document.title = document.getElementById("title-" + language).textContent;
  }
  function fromHash() {
    var asked = location.hash.slice(1, 3);
    if (asked === "es" || asked === "en") { show(asked); }
  }
  radios.forEach(function (radio) {
    radio.addEventListener("change", function () { show(radio.value); });
  });
  window.addEventListener("hashchange", fromHash);
  show("es");
  fromHash();
}());
