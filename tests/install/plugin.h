// What the plugin shows to its program. Everything else is hidden: it is compiled with -fvisibility=hidden.

#ifndef PLUGIN_H
#define PLUGIN_H

#define PLUGIN_SHOWN __attribute__((visibility("default")))

// Where the plugin's copy of the library has its version.
PLUGIN_SHOWN const char *plugin_version(void);

// 0 if a call through the plugin's copy succeeds.
PLUGIN_SHOWN int plugin_call(void);

#endif
